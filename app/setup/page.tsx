import type { Metadata } from "next";
import Link from "next/link";
import { AuthCard } from "#components/auth/auth-card.tsx";
import { SetupForm } from "#components/auth/setup-form.tsx";

// The token stands in the address: no other site may learn it.
export const metadata: Metadata = { title: "First administrator", referrer: "no-referrer" };

export default async function SetupPage({ searchParams }: { searchParams: Promise<{ token?: string | string[] }> }) {
  const { token } = await searchParams;
  if (typeof token !== "string" || token === "") {
    return (
      <AuthCard title="First administrator">
        <p className="text-ink-2">
          This page needs the one-time link that the server printed when it started. If an administrator exists already,{" "}
          <Link href="/sign-in" className="font-medium text-ink underline underline-offset-2">
            sign in
          </Link>
          .
        </p>
      </AuthCard>
    );
  }
  return (
    <AuthCard title="First administrator">
      <SetupForm token={token} />
    </AuthCard>
  );
}
