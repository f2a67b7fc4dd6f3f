"use client";
import { CircleAlert } from "lucide-react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { acceptLink, signIn } from "#client/sign-in.ts";
import { Button } from "#components/ui/button.tsx";
import { TextField } from "#components/ui/field.tsx";

const LABEL = "block text-sm font-medium";

/** Name (of who is new) and password of the person whom a one-time link is for; then that person is signed in. */
export function WelcomeForm({ token, email, name }: { token: string; email: string; name: string | null }) {
  const [isBusy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const alert = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (refusal) alert.current?.focus();
  }, [refusal]);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const password = String(data.get("password"));
    setBusy(true);
    setRefusal(null);
    const answer = await acceptLink(token, name === null ? null : String(data.get("name")), password);
    if (answer === null) {
      const isIn = (await signIn(email, password)) === null;
      window.location.assign(isIn ? "/vms" : "/sign-in");
      return;
    }
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
      <p className="text-ink-2">
        For <strong className="font-medium break-all text-ink">{email}</strong>
      </p>
      <input type="hidden" name="username" autoComplete="username" value={email} />
      {name !== null && (
        <label className={LABEL} htmlFor="name">
          Your name
          <TextField
            id="name"
            name="name"
            autoComplete="name"
            required
            maxLength={200}
            defaultValue={name}
            className="mt-1.5 w-full"
          />
        </label>
      )}
      <label className={LABEL} htmlFor="password">
        Password
        <TextField
          id="password"
          name="password"
          type="password"
          autoComplete="new-password"
          minLength={12}
          maxLength={128}
          required
          aria-describedby="password-rule"
          className="mt-1.5 w-full"
        />
      </label>
      <p id="password-rule" className="-mt-2 text-xs text-ink-3">
        At least 12 characters.
      </p>
      <Button type="submit" look="primary" disabled={isBusy} className="w-full">
        {isBusy ? "Saving…" : "Save and sign in"}
      </Button>
    </form>
  );
}
