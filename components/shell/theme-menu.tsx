"use client";
import { Monitor, Moon, Sun } from "lucide-react";
import { useEffect, useState } from "react";
import { readTheme, setTheme, type Theme } from "#client/theme.ts";
import { IconButton } from "#components/ui/button.tsx";
import { Menu, MenuChoice, MenuLabel } from "#components/ui/menu.tsx";

const OPTIONS = [
  { value: "system", label: "System", icon: <Monitor size={14} aria-hidden /> },
  { value: "light", label: "Light", icon: <Sun size={14} aria-hidden /> },
  { value: "dark", label: "Dark", icon: <Moon size={14} aria-hidden /> },
] as const;

export function ThemeMenu() {
  const [theme, setChosen] = useState<Theme>("system");
  useEffect(() => setChosen(readTheme()), []);
  const choose = (next: Theme) => {
    setTheme(next);
    setChosen(next);
  };
  const Icon = theme === "light" ? Sun : theme === "dark" ? Moon : Monitor;
  return (
    <Menu
      trigger={
        <IconButton label="Theme">
          <Icon size={16} aria-hidden />
        </IconButton>
      }
    >
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice value={theme} options={OPTIONS} onChange={choose} />
    </Menu>
  );
}
