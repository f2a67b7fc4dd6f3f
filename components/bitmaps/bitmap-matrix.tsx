"use client";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { CELL_WORDS } from "#client/cell-words.ts";
import { formatBytes, plural } from "#client/format.ts";
import { CellSign } from "#components/patterns/cell-sign.tsx";
import { cx } from "#components/ui/cx.ts";
import { CELL_STATES, type CellState, type Matrix, type MatrixCell } from "#graph/matrix.ts";

const CELL_PX = 58;
const ROW_PX = 62;
const HEAD_PX = 34;
const NAME_PX = 176;

const CELL_BG: Record<CellState, string> = {
  recording: "bg-ok-bg",
  "not-trusted": "bg-bad-bg",
  busy: "bg-info-bg",
  inconsistent: "bg-bad-bg",
  "not-recording": "bg-bad-bg",
  "not-persistent": "bg-warn-bg",
  gap: "bg-warn-bg",
  missing: "bg-bad-bg",
  unknown: "bg-warn-bg",
  "not-covered": "bg-transparent",
  "cannot-tell": "hatched",
};

type Props = {
  matrix: Matrix;
  selected: string | null;
  disk: string | null;
  onSelect: (checkpointId: string | null, disk: string | null) => void;
  past: boolean;
};

/** Disks × checkpoints, newest first; windowed in both directions, one cell in the tab order. */
export function BitmapMatrix({ matrix, selected, disk, onSelect, past }: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const name = useId();
  const columns = useMemo(() => matrix.columns.map((column, index) => ({ ...column, index })).reverse(), [matrix]);
  const rows = matrix.rows;
  const [at, setAt] = useState({ row: 0, column: 0 });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => CELL_PX,
    overscan: 4,
    scrollPaddingStart: NAME_PX,
    initialRect: { width: 1000, height: 400 },
  });
  const down = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: 3,
    scrollPaddingStart: HEAD_PX,
    initialRect: { width: 1000, height: 400 },
  });

  useEffect(() => {
    const column = columns.findIndex(({ id }) => id === selected);
    const row = rows.findIndex(({ target }) => target === disk);
    setAt((old) => ({ row: row < 0 ? Math.min(old.row, rows.length - 1) : row, column: Math.max(0, column) }));
    if (column >= 0) across.scrollToIndex(column, { align: "auto" });
    if (row >= 0) down.scrollToIndex(row, { align: "auto" });
  }, [selected, disk, columns, rows, across, down]);

  const choose = (row: number, column: number) => onSelect(columns[column]?.id ?? null, rows[row]?.target ?? null);
  const onKeyDown = (event: KeyboardEvent) => {
    const { row, column } = at;
    const lastColumn = columns.length - 1;
    const to: Record<string, [number, number]> = {
      ArrowRight: [row, Math.min(lastColumn, column + 1)],
      ArrowLeft: [row, Math.max(0, column - 1)],
      ArrowDown: [Math.min(rows.length - 1, row + 1), column],
      ArrowUp: [Math.max(0, row - 1), column],
      Home: [row, 0],
      End: [row, lastColumn],
    };
    const next = to[event.key];
    if (!next) return;
    event.preventDefault();
    choose(...next);
  };

  const cellAt = (row: number, column: number): MatrixCell | undefined =>
    rows[row]?.cells[columns[column]?.index ?? -1];
  const here = cellAt(at.row, at.column);
  const hereText = here && `${columns[at.column]?.id} on ${rows[at.row]?.target}: ${describeCell(here)}`;
  const herePath = rows[at.row]?.disk?.source;
  const used = useMemo(() => new Set(rows.flatMap((row) => row.cells.map((cell) => cell.state))), [rows]);

  return (
    <div data-view="matrix">
      <div
        ref={scroll}
        role="grid"
        aria-label={`Bitmaps: ${plural(rows.length, "disk")} by ${plural(columns.length, "checkpoint")}, newest first`}
        aria-rowcount={rows.length + 1}
        aria-colcount={columns.length + 1}
        aria-activedescendant={here ? `${name}-${at.row}-${at.column}` : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
        className="scroll-thin max-h-[max(22rem,calc(100dvh-18rem))] overflow-auto rounded-lg border border-line"
      >
        <div
          role="presentation"
          className="relative min-w-full"
          style={{ width: NAME_PX + across.getTotalSize(), height: HEAD_PX + down.getTotalSize() }}
        >
          <div
            role="row"
            aria-rowindex={1}
            className="sticky top-0 z-20 border-b border-line bg-surface"
            style={{ height: HEAD_PX }}
          >
            <span
              role="columnheader"
              aria-colindex={1}
              className="sticky left-0 z-10 flex h-full items-center border-r border-b border-line bg-surface px-3 text-xs font-medium text-ink-3"
              style={{ width: NAME_PX }}
            >
              Disk
            </span>
            {across.getVirtualItems().map(({ index, start }) => {
              const column = columns[index];
              if (!column) return null;
              return (
                <span
                  key={column.id}
                  role="columnheader"
                  aria-colindex={index + 2}
                  title={column.type === "bitmap" ? `${column.id}: a bitmap that no checkpoint has` : column.id}
                  className={cx(
                    "absolute top-0 flex h-full items-center justify-center overflow-hidden border-b border-line px-1 font-mono text-[0.6875rem]",
                    column.id === selected ? "bg-selected font-semibold text-ink" : "text-ink-2",
                    column.type === "bitmap" && "italic",
                  )}
                  style={{ left: NAME_PX + start, width: CELL_PX }}
                >
                  <span className="truncate" dir="rtl">
                    <bdi>{column.id}</bdi>
                  </span>
                </span>
              );
            })}
          </div>
          {down.getVirtualItems().map((line) => {
            const row = rows[line.index];
            if (!row) return null;
            return (
              <div
                key={row.target}
                role="row"
                aria-rowindex={line.index + 2}
                className="absolute left-0 w-full border-b border-line"
                style={{ top: HEAD_PX + line.start, height: ROW_PX }}
              >
                <span
                  role="rowheader"
                  aria-colindex={1}
                  title={row.disk?.source ?? undefined}
                  className="sticky left-0 z-10 flex h-full flex-col justify-center border-r border-line bg-bg px-3"
                  style={{ width: NAME_PX }}
                >
                  <span className="truncate font-mono font-medium">{row.target}</span>
                  <span className="truncate text-xs text-ink-3">
                    {row.disk
                      ? [row.disk.format, row.disk.virtualSize === null ? null : formatBytes(row.disk.virtualSize)]
                          .filter(Boolean)
                          .join(", ")
                      : "not seen on the host"}
                  </span>
                  {/* Cut off at its beginning: the file's name tells disks apart. */}
                  {row.disk?.source && (
                    <span
                      dir="rtl"
                      data-path
                      className="truncate text-left font-mono text-[0.6875rem] leading-4 text-ink-3"
                    >
                      <bdi>{row.disk.source}</bdi>
                    </span>
                  )}
                </span>
                {across.getVirtualItems().map(({ index, start }) => {
                  const cell = cellAt(line.index, index);
                  if (!cell) return null;
                  const isHere = index === at.column && line.index === at.row;
                  return (
                    // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around it has the focus and takes the keys
                    <span
                      key={columns[index]?.id}
                      id={`${name}-${line.index}-${index}`}
                      role="gridcell"
                      aria-colindex={index + 2}
                      aria-selected={columns[index]?.id === selected && (disk === null || disk === row.target)}
                      aria-label={`${columns[index]?.id}: ${describeCell(cell)}`}
                      data-state={cell.state}
                      title={`${columns[index]?.id} on ${row.target}: ${describeCell(cell)}`}
                      onClick={() => choose(line.index, index)}
                      className={cx(
                        "absolute top-1 bottom-1 flex cursor-default flex-col items-center justify-center",
                        past ? "hatched" : CELL_BG[cell.state],
                        joins(cellAt(line.index, index - 1), cell) ? "" : "ml-0.5 rounded-l-md",
                        joins(cell, cellAt(line.index, index + 1)) ? "" : "mr-0.5 rounded-r-md",
                        isHere && "z-[5] outline-2 -outline-offset-2 outline-[var(--focus)] outline-solid",
                      )}
                      style={{ left: NAME_PX + start, width: CELL_PX }}
                    >
                      <CellSign state={cell.state} past={past} />
                      {cell.dirtyBytes !== null && (
                        <span aria-hidden className="text-[0.6875rem] leading-4 text-ink-2">
                          {formatBytes(cell.dirtyBytes).replace("iB", "").replace(" ", "\u2009")}
                        </span>
                      )}
                    </span>
                  );
                })}
              </div>
            );
          })}
        </div>
      </div>
      <p className="mt-2 min-h-5 font-mono text-xs text-ink">
        {hereText}
        {herePath && <span className="block break-all text-ink-2">{herePath}</span>}
      </p>
      <ul className="mt-1 flex flex-wrap gap-x-4 gap-y-1 text-xs text-ink-2">
        {CELL_STATES.filter((state) => used.has(state)).map((state) => (
          <li key={state} title={CELL_WORDS[state].hint} className="flex items-center gap-1.5">
            <CellSign state={state} past={past} /> {CELL_WORDS[state].label}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Equal neighbours are drawn as one band. */
const joins = (left: MatrixCell | undefined, right: MatrixCell | undefined): boolean =>
  left !== undefined && right !== undefined && left.state === right.state;

function describeCell({ state, dirtyBytes }: MatrixCell): string {
  const { label, hint } = CELL_WORDS[state];
  return `${label.toLowerCase()}${dirtyBytes === null ? "" : `, ${formatBytes(dirtyBytes)} dirty`}. ${hint}`;
}
