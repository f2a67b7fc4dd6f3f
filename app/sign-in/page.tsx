import type { Metadata } from "next";
import { safeNext } from "#client/url-state.ts";
import { AuthCard } from "#components/auth/auth-card.tsx";
import { SignInForm } from "#components/auth/sign-in-form.tsx";

export const metadata: Metadata = { title: "Sign in" };

export default async function SignInPage({ searchParams }: { searchParams: Promise<{ next?: string | string[] }> }) {
  const { next } = await searchParams;
  return (
    <AuthCard title="Sign in">
      <SignInForm next={safeNext(typeof next === "string" ? next : null)} />
    </AuthCard>
  );
}
