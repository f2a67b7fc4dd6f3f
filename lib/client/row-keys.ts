import type { RefObject } from "react";
import { useCommands } from "./commands.tsx";

/**
 * j and k over the `[data-row]` elements of a list. Focus goes to a row's first link, so that Enter opens it, or to the row
 * itself where it has none; whatever has the focus inside a row makes that the current one.
 */
export function useRowKeys(list: RefObject<HTMLElement | null>): void {
  const move = (step: number) => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
    row?.scrollIntoView({ block: "nearest" });
    (row?.querySelector<HTMLElement>("a[href]") ?? row)?.focus({ preventScroll: true });
  };
  useCommands([
    { id: "row-next", title: "Next row", group: "List", key: "j", hidden: true, run: () => move(1) },
    { id: "row-previous", title: "Previous row", group: "List", key: "k", hidden: true, run: () => move(-1) },
  ]);
}
