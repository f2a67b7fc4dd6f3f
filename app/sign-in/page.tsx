import type { Metadata } from "next";
import { connection } from "next/server";
import { safeNext } from "#client/url-state.ts";
import { AuthCard } from "#components/auth/auth-card.tsx";
import { ProviderButton } from "#components/auth/provider-button.tsx";
import { SignInForm } from "#components/auth/sign-in-form.tsx";
import { providerName, type Refusal } from "#engine/server.ts";

export const metadata: Metadata = { title: "Sign in" };

/** Why the identity provider's answer was not enough. */
const REFUSALS: Record<Refusal, string> = {
  "no-group": "You are in none of the groups that may use Driftline. Ask whoever keeps the groups.",
  "no-email": "The provider named no confirmed e-mail address for you.",
  "account-exists": "There is an account with your address that signs in in another way. Ask an administrator.",
  disabled: "Your account is disabled. Ask an administrator.",
  expired: "The sign-in took too long or was begun in another browser. Try again.",
  declined: "The provider did not sign you in. Try again, or ask whoever keeps the accounts there.",
  failed: "The provider's answer could not be confirmed. Try again; the server's log has the reason.",
};

const isRefusal = (said: unknown): said is Refusal => typeof said === "string" && Object.hasOwn(REFUSALS, said);

type Search = { next?: string | string[]; refused?: string | string[] };

export default async function SignInPage({ searchParams }: { searchParams: Promise<Search> }) {
  await connection();
  const { next, refused } = await searchParams;
  const path = safeNext(typeof next === "string" ? next : null);
  const provider = providerName();
  const refusal = isRefusal(refused) ? REFUSALS[refused] : null;
  return (
    <AuthCard title="Sign in">
      {refusal && (
        <p role="alert" className="mb-4 rounded-md border border-line bg-bad-bg p-2.5 text-bad">
          {refusal}
        </p>
      )}
      {provider && <ProviderButton name={provider} next={path} />}
      <SignInForm next={path} />
    </AuthCard>
  );
}
