"use client";
import Link from "next/link";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Button, buttonLook } from "#components/ui/button.tsx";
import { TextField } from "#components/ui/field.tsx";

/** Applying a plan, of one VM or of many: what is to be typed, a reason for the audit log. The focus starts on Cancel. */
export function ConfirmForm(props: {
  title: string;
  /** What must be typed, or null. */
  confirm: string | null;
  /** Where Cancel leads. */
  back: string;
  /** What speaks against it while this is typed, or null. */
  whyNot: (typed: string) => string | null;
  /** Said below the buttons when nothing speaks against it. */
  note: string;
  /** What helps against what speaks against it. */
  help?: ReactNode;
  /** Why it was not applied. */
  refusal: ReactNode;
  isPending: boolean;
  onApply: (typed: string, reason: string) => void;
  children?: ReactNode;
}) {
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const cancel = useRef<HTMLAnchorElement>(null);
  const why = useId();
  useEffect(() => cancel.current?.focus({ preventScroll: true }), []);
  const unavailable = props.whyNot(typed);
  return (
    <form
      aria-label="Apply the plan"
      onSubmit={(event) => {
        event.preventDefault();
        if (!unavailable && !props.isPending) props.onApply(typed, reason.trim());
      }}
      className="space-y-3 rounded-lg border border-line-strong bg-raised px-4 py-3"
    >
      <h2 className="font-semibold">{props.title}</h2>
      {props.children}
      {props.confirm !== null && (
        <Line
          name="confirm"
          value={typed}
          onChange={setTyped}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
        >
          Type <strong className="font-semibold text-ink select-all">{props.confirm}</strong> to confirm
        </Line>
      )}
      <Line name="reason" value={reason} onChange={setReason} maxLength={1000}>
        Reason <span className="text-ink-3">(optional, kept in the audit log)</span>
      </Line>
      {props.refusal}
      <div className="flex flex-wrap gap-2">
        <Link ref={cancel} href={props.back} className={buttonLook()}>
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
        {unavailable ?? props.note} {unavailable && props.help}
      </p>
    </form>
  );
}

type LineProps = Omit<React.ComponentProps<"input">, "onChange"> & { onChange: (value: string) => void };
function Line({ children, onChange, ...rest }: LineProps) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="block text-ink-2">
        {children}
      </label>
      <TextField {...rest} id={id} className="mt-1 w-full" onChange={(event) => onChange(event.target.value)} />
    </div>
  );
}
