import type { ReactNode } from "react";

/** The frame of the pages for people who are not signed in. */
export function AuthCard({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center bg-surface px-4 py-10">
      <div className="w-full max-w-sm rounded-lg border border-line bg-bg p-6 shadow-[0_1px_3px_var(--shadow)]">
        <p className="text-sm font-semibold tracking-tight text-ink-2">Driftline</p>
        <h1 className="mt-1 mb-5 text-xl font-semibold tracking-tight">{title}</h1>
        {children}
      </div>
      <p className="mt-4 max-w-sm text-center text-xs text-pretty text-ink-3">
        Says where the record, libvirt and the disks of a VM part, and what that costs.
      </p>
    </main>
  );
}
