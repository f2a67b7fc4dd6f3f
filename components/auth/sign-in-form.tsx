"use client";
import { signIn } from "#client/sign-in.ts";
import { AuthField, AuthForm } from "./auth-form.tsx";

/** `next` is already limited to paths of this site. A full load follows: the server then knows the person. */
export function SignInForm({ next }: { next: string }) {
  return (
    <AuthForm
      action="Sign in"
      busy="Signing in…"
      onSubmit={async (field) => {
        const refusal = await signIn(field("email"), field("password"));
        if (refusal === null) window.location.assign(next);
        return refusal;
      }}
    >
      <AuthField label="E-mail" name="email" type="email" autoComplete="username" />
      <AuthField label="Password" name="password" type="password" autoComplete="current-password" />
    </AuthForm>
  );
}
