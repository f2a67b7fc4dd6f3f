"use client";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";

/** Something a person can do from here, in the palette and (with `key`) by a single key. */
export type Command = {
  id: string;
  title: string;
  group: string;
  /** A single key (`j`, `?`, `/`), active outside fields. */
  key?: string;
  /** Only a shortcut: not worth a line in the palette (moving a row, say). */
  hidden?: boolean;
  /** Why it cannot be done now; it stays visible with the reason. */
  unavailable?: string | null;
  run: () => void;
};

/** Plain store outside React: registering must not render the page again. */
export function createCommandRegistry() {
  const sets = new Map<symbol, () => Command[]>();
  return {
    add(read: () => Command[]): () => void {
      const token = Symbol("commands");
      sets.set(token, read);
      return () => void sets.delete(token);
    },
    /** Later registrations win for the same key: the innermost screen decides. */
    all(): Command[] {
      return [...sets.values()].flatMap((read) => read());
    },
    byKey(key: string): Command | undefined {
      return this.all().findLast((command) => command.key === key);
    },
  };
}
export type CommandRegistry = ReturnType<typeof createCommandRegistry>;

const SINGLE_KEYS = "driftline-single-keys";
const CommandContext = createContext<CommandRegistry>(createCommandRegistry());

export const areSingleKeysOn = (): boolean => localStorage.getItem(SINGLE_KEYS) !== "off";
export const setSingleKeys = (on: boolean): void => localStorage.setItem(SINGLE_KEYS, on ? "on" : "off");

/** Boxes and buttons are pressed with Space and Enter only; every other key is free on them. */
const NOT_TYPED_IN = ["checkbox", "radio", "button", "submit", "reset", "file"];
/** Does what is typed belong to this element? Arrows choose among radios, but no command has one. */
export function isField({ tagName, type, isContentEditable }: FieldLike): boolean {
  if (isContentEditable || tagName === "TEXTAREA" || tagName === "SELECT") return true;
  return tagName === "INPUT" && !NOT_TYPED_IN.includes(type ?? "text");
}
type FieldLike = { tagName: string; type?: string; isContentEditable: boolean };

/** True where a key belongs to something else: a field, a menu, an open dialog. */
const isTaken = (event: KeyboardEvent): boolean =>
  event.defaultPrevented ||
  event.ctrlKey ||
  event.metaKey ||
  event.altKey ||
  (event.target instanceof HTMLElement && isField(event.target)) ||
  document.querySelector('[role="dialog"],[role="menu"],[role="listbox"][data-state="open"]') !== null;

export function CommandProvider({ children }: { children: ReactNode }) {
  const [registry] = useState(createCommandRegistry);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (isTaken(event) || !areSingleKeysOn()) return;
      const command = registry.byKey(event.key);
      if (!command || command.unavailable) return;
      event.preventDefault();
      command.run();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [registry]);
  return <CommandContext value={registry}>{children}</CommandContext>;
}

export function useCommandRegistry(): CommandRegistry {
  return useContext(CommandContext);
}

/** Offers commands while the component is mounted. The array may be new on every render. */
export function useCommands(commands: Command[]): void {
  const registry = useCommandRegistry();
  const latest = useRef(commands);
  useEffect(() => {
    latest.current = commands;
  });
  useEffect(() => registry.add(() => latest.current), [registry]);
}
