"use client";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { cx } from "#components/ui/cx.ts";

const TABS = [
  { href: "/settings", title: "Policy" },
  { href: "/settings/people", title: "People" },
  { href: "/settings/keys", title: "API keys" },
] as const;

export function SettingsTabs() {
  const path = usePathname();
  return (
    <nav aria-label="Settings" className="mt-3 flex gap-0.5 border-b border-line">
      {TABS.map(({ href, title }) => (
        <Link
          key={href}
          href={href}
          aria-current={path === href ? "page" : undefined}
          className={cx(
            "flex h-9 items-center border-b-2 px-3 font-medium",
            path === href ? "border-ink text-ink" : "border-transparent text-ink-2 hover:text-ink",
          )}
        >
          {title}
        </Link>
      ))}
    </nav>
  );
}
