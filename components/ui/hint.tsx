"use client";
import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";

/** A hint on hover and focus. Never the only place of a fact: its text is also reachable otherwise. */
export function Hint({ text, children }: { text: ReactNode; children: ReactNode }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-w-80 rounded-md border border-line bg-raised px-2.5 py-1.5 text-xs text-ink shadow-[0_4px_16px_var(--shadow)]"
        >
          {text}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
