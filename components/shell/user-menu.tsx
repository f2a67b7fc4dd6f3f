"use client";
import { Keyboard, LogOut, UserRound } from "lucide-react";
import { useRouter } from "next/navigation";
import { startLeaving, stayHere } from "#client/leaving.ts";
import { notify } from "#client/notify.ts";
import { signOut } from "#client/sign-in.ts";
import { Menu, MenuItem, MenuLabel, MenuSeparator } from "#components/ui/menu.tsx";
import type { Role } from "#contract/engine.ts";
import { MenuButton } from "./menu-button.tsx";

export type Me = { name: string; role: Role };

export function UserMenu({ me, onHelp }: { me: Me | null; onHelp: () => void }) {
  const router = useRouter();
  const leave = async () => {
    startLeaving();
    const refusal = await signOut();
    if (refusal === null) return window.location.assign("/sign-in");
    stayHere();
    notify(refusal, { isError: true });
  };
  return (
    <Menu trigger={<MenuButton kind="account" />}>
      {me && (
        <>
          <MenuLabel>
            <span className="block text-sm font-medium break-all text-ink">{me.name}</span>
            Role: {me.role}
          </MenuLabel>
          <MenuSeparator />
        </>
      )}
      <MenuItem onSelect={() => router.push("/account")}>
        <UserRound size={14} aria-hidden /> Account and sessions
      </MenuItem>
      <MenuItem onSelect={onHelp}>
        <Keyboard size={14} aria-hidden /> Keyboard shortcuts
      </MenuItem>
      <MenuItem onSelect={leave}>
        <LogOut size={14} aria-hidden /> Sign out
      </MenuItem>
    </Menu>
  );
}
