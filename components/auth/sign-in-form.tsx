"use client";
import { signIn } from "#client/sign-in.ts";
import { CredentialsForm } from "./credentials-form.tsx";

/** `next` is already limited to paths of this site. A full load follows: the server then knows the person. */
export function SignInForm({ next }: { next: string }) {
  const submit = async (email: string, password: string) => {
    const refusal = await signIn(email, password);
    if (refusal === null) window.location.assign(next);
    return refusal;
  };
  return <CredentialsForm action="Sign in" busy="Signing in…" onSubmit={submit} />;
}
