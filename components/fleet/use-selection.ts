import { useCallback, useMemo, useRef, useState } from "react";
import { useCommands } from "#client/commands.tsx";

/** Which rows are chosen, by id: a row that is filtered away is no longer chosen, one that moves stays. */
export function useSelection(rows: readonly { id: string }[]) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const latest = useRef(rows);
  latest.current = rows;
  const anchor = useRef<string | null>(null);
  const selected = useMemo(
    () => new Set(rows.filter((row) => chosen.has(row.id)).map((row) => row.id)),
    [rows, chosen],
  );

  /** One row, or with `isRange` every row from the one before up to this one, all as this one becomes. */
  const toggle = useCallback((index: number, isRange: boolean) => {
    const all = latest.current;
    const row = all[index];
    if (!row) return;
    const from = isRange ? all.findIndex(({ id }) => id === anchor.current) : -1;
    const [low, high] = from < 0 ? [index, index] : [Math.min(from, index), Math.max(from, index)];
    setChosen((old) => {
      const next = new Set(old);
      const isOn = !old.has(row.id);
      for (const { id } of all.slice(low, high + 1)) {
        if (isOn) next.add(id);
        else next.delete(id);
      }
      return next;
    });
    anchor.current = row.id;
  }, []);
  const clear = useCallback(() => setChosen(new Set()), []);
  const toggleAll = useCallback(
    () =>
      setChosen((old) => {
        const ids = latest.current.map(({ id }) => id);
        return ids.every((id) => old.has(id)) ? new Set() : new Set(ids);
      }),
    [],
  );
  useCommands([
    { id: "select-all", title: "Select all rows shown", group: "List", run: toggleAll },
    {
      id: "select-none",
      title: "Clear the selection",
      group: "List",
      key: "Escape",
      unavailable: selected.size === 0 ? "Nothing is selected." : null,
      run: clear,
    },
  ]);
  return { selected, toggle, toggleAll, clear };
}
