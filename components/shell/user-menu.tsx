"use client";
import { CircleUserRound, Keyboard, LogOut } from "lucide-react";
import { toast } from "sonner";
import { signOut } from "#client/sign-in.ts";
import { IconButton } from "#components/ui/button.tsx";
import { Menu, MenuItem, MenuLabel, MenuSeparator } from "#components/ui/menu.tsx";
import type { Role } from "#contract/engine.ts";

export function UserMenu({ me, onHelp }: { me: { name: string; role: Role } | null; onHelp: () => void }) {
  const leave = async () => {
    const refusal = await signOut();
    if (refusal) toast.error(refusal);
    else window.location.assign("/sign-in");
  };
  return (
    <Menu
      trigger={
        <IconButton label={me ? `Account: ${me.name}` : "Account"}>
          <CircleUserRound size={16} aria-hidden />
        </IconButton>
      }
    >
      {me && (
        <MenuLabel>
          <span className="block text-sm font-medium break-all text-ink">{me.name}</span>
          Role: {me.role}
        </MenuLabel>
      )}
      <MenuSeparator />
      <MenuItem onSelect={onHelp}>
        <Keyboard size={14} aria-hidden /> Keyboard shortcuts
      </MenuItem>
      <MenuItem onSelect={leave}>
        <LogOut size={14} aria-hidden /> Sign out
      </MenuItem>
    </Menu>
  );
}
