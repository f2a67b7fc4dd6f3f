"use client";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { useState } from "react";
import { cx } from "#components/ui/cx.ts";
import type { Role } from "#contract/engine.ts";
import { CommandPalette } from "./command-palette.tsx";
import { HelpDialog } from "./help-dialog.tsx";
import { LiveStatus } from "./live-status.tsx";
import { ThemeMenu } from "./theme-menu.tsx";
import { UserMenu } from "./user-menu.tsx";

export const SCREENS = [
  { href: "/vms", title: "VMs" },
  { href: "/hosts", title: "Hosts" },
  { href: "/jobs", title: "Jobs" },
  { href: "/audit", title: "Audit" },
] as const;

/** Three lanes, one of them broken off: what the product looks after. */
function Mark() {
  return (
    <svg
      viewBox="0 0 20 20"
      width="20"
      height="20"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
    >
      <path d="M5 2v16M5 7c0 4 9 2 9 7v4" strokeLinecap="round" />
      <circle cx="5" cy="7" r="2.4" fill="var(--bg)" />
      <circle cx="14" cy="5" r="2.4" strokeDasharray="2 2" />
    </svg>
  );
}

export function Header({ me }: { me: { name: string; role: Role } | null }) {
  const path = usePathname();
  const [isHelpOpen, setHelpOpen] = useState(false);
  return (
    <header className="sticky top-0 z-30 border-b border-line bg-bg">
      <div className="flex min-h-12 flex-wrap items-center gap-x-1 gap-y-0 px-3 sm:px-4">
        <Link href="/vms" className="mr-3 flex h-8 items-center gap-2 font-semibold tracking-tight">
          <Mark />
          Driftline
        </Link>
        <nav aria-label="Main" className="order-last -mx-1 flex w-full gap-0.5 pb-1.5 sm:order-none sm:w-auto sm:pb-0">
          {SCREENS.map(({ href, title }) => {
            const isHere = path === href || path.startsWith(`${href}/`);
            return (
              <Link
                key={href}
                href={href}
                aria-current={isHere ? "page" : undefined}
                className={cx(
                  "flex h-8 items-center rounded-md px-2.5 font-medium hover:bg-hover hover:text-ink",
                  isHere ? "bg-hover text-ink forced:underline" : "text-ink-2",
                )}
              >
                {title}
              </Link>
            );
          })}
        </nav>
        <div className="ml-auto flex items-center gap-0.5">
          <LiveStatus />
          <CommandPalette screens={SCREENS} onHelp={() => setHelpOpen(true)} />
          <ThemeMenu />
          <UserMenu me={me} onHelp={() => setHelpOpen(true)} />
        </div>
      </div>
      <HelpDialog open={isHelpOpen} onOpenChange={setHelpOpen} />
    </header>
  );
}
