"use client";
import { type KeyboardEvent, useEffect, useMemo, useRef } from "react";
import { formatBytes, plural } from "#client/format.ts";
import { MatchMark } from "#components/patterns/match-mark.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { SeverityMark } from "#components/patterns/severity-mark.tsx";
import { cx } from "#components/ui/cx.ts";
import { assignLanes, lanesThrough } from "#graph/lanes.ts";
import type { GraphNode } from "#graph/types.ts";
import type { BackupsByCheckpoint } from "./backups.ts";
import { gutterWidth, indexEdges, LaneGutter } from "./lane-gutter.tsx";
import { useRowWindow } from "./use-row-window.ts";

const ROW_PX = 36;
const HEAD_PX = 32;
const COLUMNS = ["Checkpoint", "Created", "Record and host", "Disks", "Backup", "Findings"] as const;
const GRID =
  "grid grid-cols-[auto_minmax(0,1fr)_4.5rem_2rem] md:grid-cols-[auto_minmax(8rem,1.2fr)_6rem_7rem_minmax(4rem,0.8fr)_6rem_minmax(10rem,1.6fr)] lg:grid-cols-[auto_minmax(15.5rem,1.4fr)_6rem_7rem_minmax(3rem,0.8fr)_6rem_minmax(6rem,1.2fr)] items-center gap-x-2 md:gap-x-3";

type Props = {
  nodes: GraphNode[];
  selected: string | null;
  onSelect: (id: string | null) => void;
  backups: BackupsByCheckpoint;
  past: boolean;
};

/** Every checkpoint, newest on top, with its lanes: the equal of the map for keyboard and screen reader. */
export function ChainList({ nodes, selected, onSelect, backups, past }: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const lanes = useMemo(() => assignLanes(nodes), [nodes]);
  const edges = useMemo(() => indexEdges(lanes), [lanes]);
  const newestFirst = useMemo(() => nodes.toReversed(), [nodes]);
  const rowOf = useMemo(() => new Map(newestFirst.map((node, index) => [node.id, index])), [newestFirst]);
  const { from, to, showRow } = useRowWindow({ scroll, count: nodes.length, rowPx: ROW_PX, headPx: HEAD_PX });
  // The lanes count rows from the root, the list from the newest.
  const low = nodes.length - to;
  const through = useMemo(() => lanesThrough(lanes, low, low + to - from), [lanes, low, to, from]);
  const current = selected !== null ? (rowOf.get(selected) ?? 0) : 0;

  useEffect(() => {
    const row = selected === null ? undefined : rowOf.get(selected);
    if (row !== undefined) showRow(row);
  }, [selected, rowOf, showRow]);

  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((scroll.current?.clientHeight ?? 0) / ROW_PX) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const step = steps[event.key];
    const target =
      step !== undefined
        ? Math.min(nodes.length - 1, Math.max(0, selected === null ? 0 : current + step))
        : event.key === "Home"
          ? 0
          : event.key === "End"
            ? nodes.length - 1
            : null;
    if (target === null) return;
    event.preventDefault();
    onSelect(newestFirst[target]?.id ?? null);
  };

  return (
    <div className="rounded-lg border border-line" data-view="list">
      <div
        ref={scroll}
        role="treegrid"
        aria-label={`Checkpoints, newest first, ${plural(nodes.length, "row")}`}
        aria-rowcount={nodes.length + 1}
        aria-activedescendant={selected !== null && rowOf.has(selected) ? rowId(selected) : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
        className="scroll-thin max-h-[max(24rem,calc(100dvh-15rem))] overflow-auto rounded-lg"
      >
        <div
          role="row"
          aria-rowindex={1}
          className={cx(
            GRID,
            "sticky top-0 z-10 h-8 border-b border-line bg-surface pr-3 text-xs font-medium text-ink-3",
          )}
        >
          <span role="presentation" style={{ width: gutterWidth(lanes.laneCount) }} />
          {COLUMNS.map((column, index) => (
            <span key={column} role="columnheader" className={index > 1 ? "max-md:sr-only" : undefined}>
              {column}
            </span>
          ))}
        </div>
        <div role="presentation" className="relative" style={{ height: nodes.length * ROW_PX }}>
          {newestFirst.slice(from, to).map((node, position) => {
            const index = from + position;
            const row = nodes.length - 1 - index;
            const lane = lanes.rows[row]?.lane ?? 0;
            const backup = backups.get(node.id);
            return (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around it has the focus and takes the keys
              <div
                key={node.id}
                id={rowId(node.id)}
                role="row"
                aria-rowindex={index + 2}
                aria-level={lane + 1}
                aria-selected={node.id === selected}
                data-checkpoint={node.id}
                data-match={node.match}
                onClick={() => onSelect(node.id === selected ? null : node.id)}
                className={cx(
                  GRID,
                  "absolute inset-x-0 top-0 cursor-default pr-3",
                  node.id === selected
                    ? "bg-selected forced:outline forced:outline-2 forced:-outline-offset-2"
                    : "hover:bg-hover",
                )}
                style={{ height: ROW_PX, transform: `translateY(${index * ROW_PX}px)` }}
              >
                <span role="presentation">
                  <LaneGutter
                    row={{
                      lane,
                      through: through[row - low] ?? [],
                      hasParent: edges.to.has(row),
                      childLanes: edges.from.get(row)?.map((edge) => edge.toLane) ?? [],
                    }}
                    match={past ? "unknown" : node.match}
                    height={ROW_PX}
                    laneCount={lanes.laneCount}
                  />
                </span>
                <span role="gridcell" className="flex min-w-0 gap-1.5 text-xs">
                  <span className="truncate font-mono">{node.id}</span>
                  {/* Where there is no column for them, that there are findings is still seen; choosing the row shows them. */}
                  {node.worst && (
                    <span aria-hidden className="shrink-0 md:hidden">
                      <SeverityMark severity={node.worst} bare />
                    </span>
                  )}
                  {node.newest && <span className="text-ink-3 max-lg:sr-only">newest</span>}
                </span>
                <span role="gridcell" className="truncate text-ink-2">
                  <Moment at={node.createdAt} />
                </span>
                <span role="gridcell" className={cx("truncate", past && "hatched")}>
                  <span className="max-md:hidden">
                    <MatchMark match={node.match} past={past} />
                  </span>
                  <span className="md:hidden">
                    <MatchMark match={node.match} past={past} bare />
                  </span>
                </span>
                <span role="gridcell" className="truncate font-mono text-xs text-ink-2 max-md:sr-only">
                  {node.disks.join(" ")}
                </span>
                <span role="gridcell" className="truncate text-xs text-ink-2 max-md:sr-only">
                  {backup ? `${backup.word}${backup.bytes === null ? "" : ` ${formatBytes(backup.bytes)}`}` : "–"}
                </span>
                <span role="gridcell" className="flex items-center gap-1.5 truncate max-md:sr-only">
                  {node.worst && (
                    <>
                      <SeverityMark severity={node.worst} bare />
                      <span className="truncate font-mono text-xs text-ink-2">
                        {node.findings.map((finding) => finding.kind).join(", ")}
                      </span>
                    </>
                  )}
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

const rowId = (id: string): string => `cp-row-${id}`;
