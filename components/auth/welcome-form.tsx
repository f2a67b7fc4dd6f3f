"use client";
import { acceptLink, enter } from "#client/sign-in.ts";
import { NewPassword } from "#components/patterns/new-password.tsx";
import { AuthField, AuthForm } from "./auth-form.tsx";

/** Name (of who is new) and password of the person whom a one-time link is for; then that person is signed in. */
export function WelcomeForm({ token, email, name }: { token: string; email: string; name: string | null }) {
  return (
    <AuthForm
      action="Save and sign in"
      busy="Saving…"
      onSubmit={async (field) => {
        const password = field("password");
        return (await acceptLink(token, name === null ? null : field("name"), password)) ?? enter(email, password);
      }}
    >
      <p className="text-ink-2">
        For <strong className="font-medium break-all text-ink">{email}</strong>
      </p>
      <input type="hidden" name="username" autoComplete="username" value={email} />
      {name !== null && (
        <AuthField label="Your name" name="name" autoComplete="name" maxLength={200} defaultValue={name} />
      )}
      <NewPassword name="password" label="Password" />
    </AuthForm>
  );
}
