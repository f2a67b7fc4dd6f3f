import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useCommands } from "#client/commands.tsx";
import type { FLEET_SORTS } from "#client/url-state.ts";
import { cx } from "#components/ui/cx.ts";
import type { VmRow } from "#contract/engine.ts";
import { ROW_GRID, VmRowView } from "./vm-row.tsx";

type Sort = (typeof FLEET_SORTS)[number];
const COLUMNS: readonly { title: string; up?: Sort; down?: Sort; right?: boolean }[] = [
  { title: "Name", up: "name", down: "-name" },
  { title: "Host", up: "host" },
  { title: "Power" },
  { title: "Agreement" },
  { title: "Next backup" },
  { title: "Observed", up: "observed", down: "-observed" },
  { title: "Findings", down: "severity" },
  { title: "Chain", up: "checkpoints", down: "-checkpoints", right: true },
  { title: "Disks", right: true },
  { title: "Last good backup" },
];
const ROW_PX = 45;
/** Rows from the end of what is loaded at which the next page is asked for. */
const AHEAD = 40;

/** The virtual list over the window's own scroll. Focus on a row's name is the current row: j and k move it. */
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
  const { rows, hasMore, isLoadingMore, onNeedMore } = props;
  const body = useRef<HTMLDivElement>(null);
  const wanted = useRef<number | null>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(body.current ? body.current.getBoundingClientRect().top + window.scrollY : 0), []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    overscan: 8,
    scrollMargin: top,
    getItemKey: (index) => rows[index]?.id ?? index,
    scrollPaddingStart: 96,
    scrollPaddingEnd: 16,
    initialRect: { width: 1280, height: 900 },
  });
  const isAll = rows.length > 0 && rows.every((row) => props.selected.has(row.id));
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;

  useEffect(() => {
    if (hasMore && !isLoadingMore && last >= rows.length - AHEAD) onNeedMore();
  }, [hasMore, isLoadingMore, last, rows.length, onNeedMore]);

  const linkOf = (index: number) =>
    body.current?.querySelector<HTMLAnchorElement>(`[data-index="${index}"] [data-row-link]`) ?? null;
  useEffect(() => {
    if (wanted.current === null) return;
    const link = linkOf(wanted.current);
    if (link) {
      link.focus({ preventScroll: true });
      wanted.current = null;
    }
  });

  const move = (step: number) => {
    const row = document.activeElement?.closest<HTMLElement>("[data-index]");
    const from = row && body.current?.contains(row) ? Number(row.dataset.index) : null;
    const next = from === null ? (items[0]?.index ?? 0) : Math.min(rows.length - 1, Math.max(0, from + step));
    virtual.scrollToIndex(next, { align: "auto" });
    const link = linkOf(next);
    if (link) link.focus({ preventScroll: true });
    else wanted.current = next;
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
        const row = document.activeElement?.closest<HTMLElement>("[data-index]");
        if (row && body.current?.contains(row)) props.onToggle(Number(row.dataset.index), false);
      },
    },
    { id: "row-previous", title: "Previous row", group: "List", key: "k", hidden: true, run: () => move(-1) },
  ]);

  return (
    <div role="table" aria-label="VMs" aria-rowcount={props.total + 1} className="rounded-lg border border-line">
      <div role="rowgroup" className="sticky top-12 z-10 rounded-t-lg border-b border-line bg-surface max-xl:sr-only">
        <div role="row" aria-rowindex={1} className={cx(ROW_GRID, "px-3 text-xs font-medium text-ink-3")}>
          <div role="columnheader" className="-ml-1.5 flex">
            <label className="grid size-7 cursor-pointer place-items-center rounded-sm hover:bg-hover">
              <input
                ref={(box) => {
                  if (box) box.indeterminate = props.selected.size > 0 && !isAll;
                }}
                type="checkbox"
                aria-label={`Select all ${rows.length} shown`}
                className="size-4 accent-[var(--ink)]"
                checked={isAll}
                onChange={props.onToggleAll}
              />
            </label>
          </div>
          {COLUMNS.map((column) => (
            <ColumnHead key={column.title} {...column} sort={props.sort} onSort={props.onSort} />
          ))}
        </div>
      </div>
      <div ref={body} role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              role="row"
              aria-rowindex={item.index + 2}
              aria-selected={props.selected.has(row.id)}
              className={cx(
                ROW_GRID,
                "absolute inset-x-0 top-0 min-h-11 border-b border-line px-3 has-[[data-row-link]:focus-visible]:bg-selected",
                item.index === rows.length - 1 && "border-b-0",
                props.selected.has(row.id) ? "bg-selected" : "hover:bg-hover",
              )}
              style={{ transform: `translateY(${item.start - virtual.options.scrollMargin}px)` }}
            >
              <VmRowView
                row={row}
                index={item.index}
                isSelected={props.selected.has(row.id)}
                onToggle={props.onToggle}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function ColumnHead(props: (typeof COLUMNS)[number] & { sort: Sort; onSort: (sort: Sort) => void }) {
  const { title, up, down, right, sort } = props;
  const isUp = up !== undefined && sort === up;
  const isDown = down !== undefined && sort === down;
  const next = isUp ? (down ?? up) : isDown ? (up ?? down) : (up ?? down);
  return (
    <div
      role="columnheader"
      aria-sort={isUp ? "ascending" : isDown ? "descending" : undefined}
      className={cx("flex min-w-0", right && "justify-end")}
    >
      {next ? (
        <button
          type="button"
          onClick={() => props.onSort(next)}
          className={cx(
            "-mx-1 flex h-8 items-center gap-1 rounded-sm px-1 hover:text-ink",
            (isUp || isDown) && "text-ink",
          )}
        >
          {title}
          {isUp && <ArrowUp size={12} aria-hidden />}
          {isDown && <ArrowDown size={12} aria-hidden />}
        </button>
      ) : (
        <span className="flex h-8 items-center">{title}</span>
      )}
    </div>
  );
}
