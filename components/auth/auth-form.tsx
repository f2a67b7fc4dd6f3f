"use client";
import { CircleAlert } from "lucide-react";
import { type ComponentProps, type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { TextField } from "#components/ui/field.tsx";

/** The form of a page before sign-in. A refusal is said above the fields and takes the focus; what was typed stays. */
export function AuthForm(props: {
  action: string;
  busy: string;
  /** Answers null when it worked (the page then leaves), else why not. */
  onSubmit: (field: (name: string) => string) => Promise<string | null>;
  children: ReactNode;
}) {
  const [isBusy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const alert = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (refusal) alert.current?.focus();
  }, [refusal]);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    setBusy(true);
    setRefusal(null);
    const answer = await props.onSubmit((name) => String(data.get(name) ?? ""));
    if (answer === null) return;
    setRefusal(answer);
    setBusy(false);
  };
  return (
    <form onSubmit={submit} method="post" className="space-y-4">
      {refusal && (
        <p
          ref={alert}
          role="alert"
          tabIndex={-1}
          className="flex gap-2 rounded-md border border-line bg-bad-bg p-2.5 text-bad outline-none"
        >
          <CircleAlert size={16} aria-hidden className="mt-0.5 shrink-0" />
          {refusal}
        </p>
      )}
      {props.children}
      <Button type="submit" look="primary" disabled={isBusy} className="w-full">
        {isBusy ? props.busy : props.action}
      </Button>
    </form>
  );
}

/** A field with its name above it. */
export function AuthField({ label, ...rest }: ComponentProps<"input"> & { label: string; name: string }) {
  return (
    <label className="block font-medium" htmlFor={rest.name}>
      {label}
      <TextField id={rest.name} required {...rest} className="mt-1.5 w-full" />
    </label>
  );
}
