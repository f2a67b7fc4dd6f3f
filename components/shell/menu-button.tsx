"use client";
import { CircleUserRound, SunMoon } from "lucide-react";
import type { ComponentProps } from "react";
import { IconButton } from "#components/ui/button.tsx";

const KINDS = {
  theme: { label: "Theme", Icon: SunMoon },
  account: { label: "Account", Icon: CircleUserRound },
} as const;

/** The button of a menu of the header, the same before and after the menu itself has been loaded. */
export function MenuButton({ kind, ...rest }: ComponentProps<"button"> & { kind: keyof typeof KINDS }) {
  const { label, Icon } = KINDS[kind];
  return (
    <IconButton aria-haspopup="menu" {...rest} label={label}>
      <Icon size={16} aria-hidden />
    </IconButton>
  );
}
