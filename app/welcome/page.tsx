import type { Metadata } from "next";
import Link from "next/link";
import { AuthCard } from "#components/auth/auth-card.tsx";
import { WelcomeForm } from "#components/auth/welcome-form.tsx";
import { describeWelcome } from "#engine/server.ts";

// The token stands in the address: no other site may learn it.
export const metadata: Metadata = { title: "Set a password", referrer: "no-referrer" };

export default async function WelcomePage({ searchParams }: { searchParams: Promise<{ token?: string | string[] }> }) {
  const { token } = await searchParams;
  const link = typeof token === "string" && token !== "" ? await describeWelcome(token) : null;
  if (!link || typeof token !== "string") {
    return (
      <AuthCard title="This link does not work">
        <p className="text-ink-2">
          It was used already, it is too old, or a newer one was made. Ask an administrator for another. If you have a
          password,{" "}
          <Link href="/sign-in" className="font-medium text-ink underline underline-offset-2">
            sign in
          </Link>
          .
        </p>
      </AuthCard>
    );
  }
  const isNew = link.purpose === "invitation";
  return (
    <AuthCard title={isNew ? "Welcome" : "New password"}>
      <WelcomeForm token={token} email={link.email} name={isNew ? link.name : null} />
    </AuthCard>
  );
}
