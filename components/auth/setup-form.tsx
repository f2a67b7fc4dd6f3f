"use client";
import { setUpFirstAdmin, signIn } from "#client/sign-in.ts";
import { CredentialsForm } from "./credentials-form.tsx";

/** Makes the first administrator and signs that person in. */
export function SetupForm({ token }: { token: string }) {
  const submit = async (email: string, password: string) => {
    const refusal = await setUpFirstAdmin(token, email, password);
    if (refusal !== null) return refusal;
    const isIn = (await signIn(email, password)) === null;
    window.location.assign(isIn ? "/vms" : "/sign-in");
    return null;
  };
  return <CredentialsForm action="Create administrator" busy="Creating…" newPassword onSubmit={submit} />;
}
