"use client";
import { enter, setUpFirstAdmin } from "#client/sign-in.ts";
import { NewPassword } from "#components/patterns/new-password.tsx";
import { AuthField, AuthForm } from "./auth-form.tsx";

/** Makes the first administrator and signs that person in. */
export function SetupForm({ token }: { token: string }) {
  return (
    <AuthForm
      action="Create administrator"
      busy="Creating…"
      onSubmit={async (field) => {
        const [email, password] = [field("email"), field("password")];
        return (await setUpFirstAdmin(token, email, password)) ?? enter(email, password);
      }}
    >
      <AuthField label="E-mail" name="email" type="email" autoComplete="username" maxLength={320} />
      <NewPassword name="password" label="Password" />
    </AuthForm>
  );
}
