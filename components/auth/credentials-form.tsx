"use client";
import { CircleAlert } from "lucide-react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Button } from "#components/ui/button.tsx";
import { TextField } from "#components/ui/field.tsx";

type Props = {
  action: string;
  busy: string;
  newPassword?: boolean;
  /** Answers null when it worked (the page then leaves), else why not. */
  onSubmit: (email: string, password: string) => Promise<string | null>;
};
const LABEL = "block text-sm font-medium";

/** E-mail and password. A refusal is said above the fields and takes the focus; what was typed stays. */
export function CredentialsForm({ action, busy, newPassword = false, onSubmit }: Props) {
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
    const answer = await onSubmit(String(data.get("email")), String(data.get("password")));
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
      <label className={LABEL} htmlFor="email">
        E-mail
        <TextField id="email" name="email" type="email" autoComplete="username" required className="mt-1.5 w-full" />
      </label>
      <label className={LABEL} htmlFor="password">
        Password
        <TextField
          id="password"
          name="password"
          type="password"
          autoComplete={newPassword ? "new-password" : "current-password"}
          minLength={newPassword ? 12 : undefined}
          required
          aria-describedby={newPassword ? "password-rule" : undefined}
          className="mt-1.5 w-full"
        />
      </label>
      {newPassword && (
        <p id="password-rule" className="-mt-2 text-xs text-ink-3">
          At least 12 characters.
        </p>
      )}
      <Button type="submit" look="primary" disabled={isBusy} className="w-full">
        {isBusy ? busy : action}
      </Button>
    </form>
  );
}
