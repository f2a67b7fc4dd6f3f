"use client";
import { Monitor, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { readTheme, setTheme } from "#client/theme.ts";
import { Menu, MenuChoice, MenuLabel } from "#components/ui/menu.tsx";
import { MenuButton } from "./menu-button.tsx";

const OPTIONS = [
  { value: "system", label: "System", icon: <Monitor size={14} aria-hidden /> },
  { value: "light", label: "Light", icon: <Sun size={14} aria-hidden /> },
  { value: "dark", label: "Dark", icon: <Moon size={14} aria-hidden /> },
] as const;

export function ThemeMenu() {
  const [theme, setChosen] = useState(readTheme);
  return (
    <Menu trigger={<MenuButton kind="theme" />}>
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice
        value={theme}
        options={OPTIONS}
        onChange={(next) => {
          setTheme(next);
          setChosen(next);
        }}
      />
    </Menu>
  );
}
