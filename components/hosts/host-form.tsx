"use client";
import type { ReactNode } from "react";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button } from "#components/ui/button.tsx";

/** What a dialog about a host asks, why the last attempt did not work, and the way out or on. */
export function HostForm(props: {
  act: string;
  busy: string;
  isPending: boolean;
  /** Said above the error, for instance "The host was not paired". */
  failed: string;
  error: unknown;
  onSubmit: () => void;
  onCancel: () => void;
  children: ReactNode;
}) {
  return (
    <form
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        props.onSubmit();
      }}
    >
      {props.children}
      {props.error !== null && <Refusal what={props.failed} error={props.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={props.onCancel}>Cancel</Button>
        <Button look="primary" type="submit" disabled={props.isPending}>
          {props.isPending ? props.busy : props.act}
        </Button>
      </div>
    </form>
  );
}
