"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useEffect, useId, useRef, useState } from "react";
import { canBulk } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { plural } from "#client/format.ts";
import { engineQueries } from "#client/queries.ts";
import { whyNot } from "#client/situation.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import { TextField } from "#components/ui/field.tsx";
import type { PlanGroup } from "#contract/engine.ts";

/** Applying a plan over several VMs: every VM's losses ticked, the number typed. The focus starts on Cancel. */
export function GroupConfirm(props: {
  group: PlanGroup;
  count: number;
  /** VMs whose losses are not ticked yet. */
  openLosses: number;
  isPending: boolean;
  error: unknown;
  onApply: (confirm: string, reason: string) => void;
}) {
  const { group, count, openLosses } = props;
  const me = useQuery(engineQueries(useApi()).me());
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const cancel = useRef<HTMLAnchorElement>(null);
  const confirmId = useId();
  const reasonId = useId();
  const why = useId();
  useEffect(() => cancel.current?.focus({ preventScroll: true }), []);
  const role = me.data?.role ?? "viewer";
  const needs = group.parts.some((part) => part.plan?.role === "operator") ? "operator" : "support";
  const unavailable =
    [
      whyNot(canBulk({ role, needs, count })),
      openLosses > 0 ? `Tick what is lost first: ${plural(openLosses, "VM")} left.` : null,
      typed === group.confirm ? null : `Type “${group.confirm}” to confirm.`,
    ]
      .filter((text) => text !== null)
      .join(" ") || null;
  return (
    <form
      aria-label="Apply the plan"
      onSubmit={(event) => {
        event.preventDefault();
        if (!unavailable && !props.isPending) props.onApply(typed, reason.trim());
      }}
      className="space-y-3 rounded-lg border border-line-strong bg-raised px-4 py-3"
    >
      <h2 className="font-semibold">Apply to {plural(count, "VM")}</h2>
      <div>
        <label htmlFor={confirmId} className="block text-ink-2">
          Type <strong className="font-semibold text-ink select-all">{group.confirm}</strong> to confirm
        </label>
        <TextField
          id={confirmId}
          name="confirm"
          className="mt-1 w-full"
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      </div>
      <div>
        <label htmlFor={reasonId} className="block text-ink-2">
          Reason <span className="text-ink-3">(optional, kept in the audit log)</span>
        </label>
        <TextField
          id={reasonId}
          name="reason"
          className="mt-1 w-full"
          maxLength={1000}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      </div>
      {props.error !== null && <Refusal what="It was not applied" error={props.error} />}
      <div className="flex flex-wrap gap-2">
        <Link ref={cancel} href="/vms" className={buttonLook()}>
          Cancel
        </Link>
        <Button
          type="submit"
          look="primary"
          disabled={props.isPending}
          unavailable={unavailable}
          aria-describedby={why}
        >
          {props.isPending ? "Applying…" : "Apply"}
        </Button>
      </div>
      <p id={why} className="text-xs text-ink-3">
        {unavailable ?? "Each VM gets a job of its own."}
      </p>
    </form>
  );
}
