import { Handle, Position } from "@xyflow/react";
import { memo } from "react";
import { SEVERITY_LABELS } from "#chain/words.ts";
import { CELL_WORDS } from "#client/cell-words.ts";
import { formatBytes } from "#client/format.ts";
import { CellSign } from "#components/patterns/cell-sign.tsx";
import { MATCH_LOOK } from "#components/patterns/match-mark.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { SeverityMark } from "#components/patterns/severity-mark.tsx";
import { cx } from "#components/ui/cx.ts";
import type { CellState } from "#graph/matrix.ts";
import type { GraphNode } from "#graph/types.ts";
import type { BackupTag } from "../backups.ts";

export type CheckpointData = {
  node: GraphNode;
  cells: { disk: string; state: CellState }[];
  backup: BackupTag | null;
  isSelected: boolean;
  past: boolean;
};
const MOST_DISKS = 4;
const RECORDED: Record<NonNullable<GraphNode["record"]>["state"], string> = {
  active: "recorded",
  creating: "being made",
  deleting: "being deleted",
};

/** Left half: the record. Right half: the host. Only draws what it is given; fixed size. */
export const CheckpointNode = memo(function CheckpointNode({ data }: { data: CheckpointData }) {
  const { node, cells, backup, isSelected, past } = data;
  const look = MATCH_LOOK[node.match];
  return (
    <>
      <LaneHandles />
      <button
        type="button"
        tabIndex={isSelected ? 0 : -1}
        aria-pressed={isSelected}
        aria-label={nameOf(data)}
        data-checkpoint={node.id}
        data-match={node.match}
        className={cx(
          "pointer-events-auto flex h-full w-full flex-col overflow-hidden rounded-lg bg-raised text-left",
          look.border,
          !past && (node.match === "both" || node.match === "unknown" ? "border-line-strong" : "border-current"),
          past ? "hatched border-line-strong text-ink-2" : look.text,
          isSelected && "bg-selected outline-2 outline-offset-2 outline-[var(--focus)] outline-solid",
        )}
      >
        <span className="flex h-7 w-full shrink-0 items-center gap-1.5 px-2">
          <span className="min-w-0 flex-1 truncate font-mono text-xs font-medium tracking-tight text-ink">
            {node.id}
          </span>
          {node.worst && <SeverityMark severity={node.worst} bare />}
          <span className="font-mono text-xs font-semibold">{past ? "?" : look.sign}</span>
        </span>
        <span className="grid w-full flex-1 grid-cols-2 border-t border-line text-xs text-ink-2">
          <span
            className={cx(
              "flex min-w-0 flex-col justify-center border-r border-line px-2",
              !node.record && "text-ink-3",
            )}
          >
            {node.record ? (
              <>
                <span className="truncate">
                  {backup
                    ? `${backup.word}${backup.bytes === null ? "" : ` ${formatBytes(backup.bytes)}`}`
                    : RECORDED[node.record.state]}
                </span>
                <Moment at={node.createdAt} className="truncate text-ink-3" />
              </>
            ) : (
              "not recorded"
            )}
          </span>
          <span className={cx("flex min-w-0 flex-col justify-center px-2", node.listed === null && "hatched")}>
            <span className="truncate">
              {node.listed === null ? "cannot tell" : node.listed ? "listed" : "not listed"}
            </span>
            <span className="flex gap-2 overflow-hidden text-ink-3">
              {cells.slice(0, MOST_DISKS).map(({ disk, state }) => (
                <span key={disk} className="inline-flex items-center gap-0.5 font-mono">
                  {cells.length < 3 && disk}
                  <CellSign state={state} past={past} />
                </span>
              ))}
              {cells.length > MOST_DISKS && `+${cells.length - MOST_DISKS}`}
            </span>
          </span>
        </span>
      </button>
    </>
  );
});

/** Where lines meet a node. Nothing can be connected by hand. */
export function LaneHandles() {
  return (
    <>
      <Handle type="source" position={Position.Top} isConnectable={false} aria-hidden className="map-handle" />
      <Handle type="target" position={Position.Bottom} isConnectable={false} aria-hidden className="map-handle" />
    </>
  );
}

function nameOf({ node, cells, past }: CheckpointData): string {
  return [
    `Checkpoint ${node.id}`,
    past ? `last known: ${MATCH_LOOK[node.match].word}` : MATCH_LOOK[node.match].word,
    ...cells.map(({ disk, state }) => `${disk} ${CELL_WORDS[state].label.toLowerCase()}`),
    ...(node.worst ? [`worst finding: ${SEVERITY_LABELS[node.worst].label.toLowerCase()}`] : []),
  ].join(", ");
}
