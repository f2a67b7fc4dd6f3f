"use client";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { useEffect, useState } from "react";
import { onFirstNote } from "#client/notify.ts";
import { cx } from "#components/ui/cx.ts";
import { loadLater } from "#components/ui/load-later.tsx";
import { CommandPalette } from "./command-palette.tsx";
import { LiveStatus } from "./live-status.tsx";
import { MenuButton } from "./menu-button.tsx";
import type { Me } from "./user-menu.tsx";

// Loaded with their first use: none of it is needed to read a screen.
const nothing = () => null;
const HelpDialog = loadLater(() => import("./help-dialog.tsx").then((m) => m.HelpDialog), nothing);
const ThemeMenu = loadLater(
  () => import("./theme-menu.tsx").then((m) => m.ThemeMenu),
  () => <MenuButton kind="theme" />,
);
const UserMenu = loadLater(
  () => import("./user-menu.tsx").then((m) => m.UserMenu),
  () => <MenuButton kind="account" />,
);
const HintLayer = loadLater(() => import("#components/ui/hint-layer.tsx").then((m) => m.HintLayer), nothing);
const Notes = loadLater(() => import("./notes.tsx").then((m) => m.Notes), nothing);

const SCREENS = [
  { href: "/vms", title: "VMs" },
  { href: "/hosts", title: "Hosts" },
  { href: "/jobs", title: "Jobs" },
  { href: "/audit", title: "Audit" },
  { href: "/settings", title: "Settings" },
] as const;
type Part = "help" | "theme" | "account" | "notes" | "hints";
/** Nobody sees a hint before one of these. */
const FIRST_TOUCH = ["pointerover", "pointerdown", "keydown"] as const;

/** A straight line and one that has come off it: what the product looks after. */
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
      <path d="M6 1.5v17" strokeLinecap="round" />
      <path d="M6 14c0-5 8-3 8-8V4" strokeLinecap="round" strokeDasharray="2.6 2.8" />
      <circle cx="6" cy="14" r="2.5" fill="var(--bg)" />
      <circle cx="6" cy="5" r="2.5" fill="var(--bg)" />
    </svg>
  );
}

export function Header({ me }: { me: Me | null }) {
  const path = usePathname();
  const [loaded, setLoaded] = useState<ReadonlySet<Part>>(new Set());
  const [isHelpOpen, setHelpOpen] = useState(false);
  const load = (part: Part) => setLoaded((old) => new Set([...old, part]));
  useEffect(() => onFirstNote(() => setLoaded((old) => new Set([...old, "notes" as const]))), []);
  useEffect(() => {
    const first = new AbortController();
    const loadHints = () => {
      first.abort();
      setLoaded((old) => new Set([...old, "hints" as const]));
    };
    for (const event of FIRST_TOUCH) document.addEventListener(event, loadHints, { signal: first.signal });
    return () => first.abort();
  }, []);
  const openHelp = () => {
    load("help");
    setHelpOpen(true);
  };
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
          <CommandPalette screens={SCREENS} onHelp={openHelp} />
          {loaded.has("theme") ? <ThemeMenu /> : <MenuButton kind="theme" onClick={() => load("theme")} />}
          {loaded.has("account") ? (
            <UserMenu me={me} onHelp={openHelp} />
          ) : (
            <MenuButton kind="account" onClick={() => load("account")} />
          )}
        </div>
      </div>
      {loaded.has("help") && <HelpDialog open={isHelpOpen} onOpenChange={setHelpOpen} />}
      {loaded.has("notes") && <Notes />}
      {loaded.has("hints") && <HintLayer />}
    </header>
  );
}
