import type { Metadata } from "next";
import { safeNext } from "#client/url-state.ts";
import { Arrived } from "#components/auth/arrived.tsx";
import { AuthCard } from "#components/auth/auth-card.tsx";

export const metadata: Metadata = { title: "Signed in" };

export default async function SignedInPage({ searchParams }: { searchParams: Promise<{ next?: string | string[] }> }) {
  const { next } = await searchParams;
  return (
    <AuthCard title="Signed in">
      <Arrived next={safeNext(typeof next === "string" ? next : null)} />
    </AuthCard>
  );
}
