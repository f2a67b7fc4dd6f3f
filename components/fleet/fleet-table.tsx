import { useRef } from "react";
import { useCommands } from "#client/commands.tsx";
import { loadLater } from "#components/ui/load-later.tsx";
import type { VmRow } from "#contract/engine-vms.ts";
import { FleetHead, type Sort } from "./fleet-head.tsx";
import { MOST_ROWS, PlainRows } from "./fleet-rows.tsx";

// A third of what this screen weighs beside the frame, and nobody needs it to see the first rows.
const WindowedRows = loadLater(() => import("./windowed-rows.tsx").then((m) => m.WindowedRows), PlainRows);

/** The list. Focus on a row's name is the current row: j and k move it. */
export function FleetTable(props: {
  rows: VmRow[];
  total: number;
  hasMore: boolean;
  isLoadingMore: boolean;
  onNeedMore: () => void;
  sort: Sort;
  onSort: (sort: Sort) => void;
  selected: ReadonlySet<string>;
  onToggle: (index: number, isRange: boolean) => void;
  /** All rows that are loaded, or none. */
  onToggleAll: () => void;
}) {
  const { rows, selected, onToggle, hasMore } = props;
  const body = useRef<HTMLDivElement>(null);
  const scrollTo = useRef<((index: number) => void) | null>(null);
  /** A row that is to take the focus as soon as it is mounted. */
  const wanted = useRef<number | null>(null);

  const focusRow = (index: number): boolean => {
    const link = body.current?.querySelector<HTMLAnchorElement>(`[data-index="${index}"] [data-row-link]`);
    link?.focus({ preventScroll: true });
    return link != null;
  };
  const onMounted = () => {
    if (wanted.current !== null && focusRow(wanted.current)) wanted.current = null;
  };
  const currentRow = (): number | null => {
    const row = document.activeElement?.closest<HTMLElement>("[data-index]");
    return row && body.current?.contains(row) ? Number(row.dataset.index) : null;
  };
  const move = (step: number) => {
    const from = currentRow();
    const first = Number(body.current?.querySelector<HTMLElement>("[data-index]")?.dataset.index ?? 0);
    const next = from === null ? first : Math.min(rows.length - 1, Math.max(0, from + step));
    if (scrollTo.current) scrollTo.current(next);
    else body.current?.querySelector(`[data-index="${next}"]`)?.scrollIntoView({ block: "nearest" });
    if (!focusRow(next)) wanted.current = next;
  };
  useCommands([
    { id: "row-next", title: "Next row", group: "List", key: "j", hidden: true, run: () => move(1) },
    {
      id: "row-select",
      title: "Select or leave out the row",
      group: "List",
      key: "x",
      hidden: true,
      run: () => {
        const row = currentRow();
        if (row !== null) onToggle(row, false);
      },
    },
    { id: "row-previous", title: "Previous row", group: "List", key: "k", hidden: true, run: () => move(-1) },
  ]);
  const Rows = hasMore || rows.length > MOST_ROWS ? WindowedRows : PlainRows;

  return (
    <div role="table" aria-label="VMs" aria-rowcount={props.total + 1} className="rounded-lg border border-line">
      <FleetHead
        shown={rows.length}
        isAll={rows.length > 0 && rows.every((row) => selected.has(row.id))}
        isSome={selected.size > 0}
        onToggleAll={props.onToggleAll}
        sort={props.sort}
        onSort={props.onSort}
      />
      <Rows
        body={body}
        rows={rows}
        selected={selected}
        onToggle={onToggle}
        hasMore={hasMore}
        isLoadingMore={props.isLoadingMore}
        onNeedMore={props.onNeedMore}
        scrollTo={scrollTo}
        onMounted={onMounted}
      />
    </div>
  );
}
