"use client";
import { Search } from "lucide-react";
import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import { type Command, useCommandRegistry, useCommands } from "#client/commands.tsx";
import { useCopy } from "#client/copy.ts";
import { setTheme, THEMES } from "#client/theme.ts";
import { Button } from "#components/ui/button.tsx";
import { Kbd } from "#components/ui/kbd.tsx";
import { loadLater } from "#components/ui/load-later.tsx";

const PaletteDialog = loadLater(
  () => import("./palette-dialog.tsx").then((m) => m.PaletteDialog),
  () => null,
);

/** The palette's button and its key. The list itself is loaded when it is first opened. */
export function CommandPalette(props: { screens: readonly { href: string; title: string }[]; onHelp: () => void }) {
  const router = useRouter();
  const registry = useCommandRegistry();
  const copy = useCopy();
  const [commands, setCommands] = useState<Command[] | null>(null);

  useCommands([
    ...props.screens.map(({ href, title }) => ({
      id: `go-${href}`,
      title: `Go to ${title}`,
      group: "Go",
      run: () => router.push(href),
    })),
    ...THEMES.map((theme) => ({
      id: `theme-${theme}`,
      title: `Theme: ${theme}`,
      group: "Appearance",
      run: () => setTheme(theme),
    })),
    {
      id: "copy-link",
      title: "Copy link to what is shown",
      group: "Share",
      key: "y",
      run: () => void copy(window.location.href, "the link"),
    },
    { id: "help", title: "Keyboard shortcuts", group: "Help", key: "?", run: props.onHelp },
  ]);

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setCommands((open) => (open ? null : registry.all()));
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [registry]);

  return (
    <>
      <Button
        size="sm"
        onClick={() => setCommands(registry.all())}
        aria-label="Commands"
        aria-keyshortcuts="Control+K"
        className="mr-1 text-ink-3"
      >
        <Search size={14} aria-hidden />
        <span className="flex gap-0.5 max-md:hidden" aria-hidden>
          <Kbd>Ctrl</Kbd>
          <Kbd>K</Kbd>
        </span>
      </Button>
      {commands && <PaletteDialog commands={commands} onClose={() => setCommands(null)} />}
    </>
  );
}
