/** Disks × checkpoints: the state of every bitmap in one table. */
import type { BitmapState, DiskBitmap } from "#chain/model.ts";
import { graphNodes } from "./nodes.ts";
import { distrustOf } from "./quarantine.ts";
import type { GraphChain, GraphDisk, GraphNode } from "./types.ts";

/**
 * `unknown` is a bitmap that nobody claims; `cannot-tell` is one that was not read. They are opposites.
 * `not-trusted` looks healthy to QEMU and libvirt, but its disk was rewound or replaced, or it was made anew: what it says is
 * not so.
 */
export const CELL_STATES = [
  "recording",
  "not-trusted",
  "busy",
  "inconsistent",
  "missing",
  "unknown",
  "not-covered",
  "not-recording",
  "not-persistent",
  "gap",
  "cannot-tell",
] as const;
export type CellState = (typeof CELL_STATES)[number];

export type MatrixColumn = {
  id: string;
  /** A checkpoint of record or host, or a bitmap's name that no checkpoint has. */
  type: "checkpoint" | "bitmap";
};
export type MatrixCell = { state: CellState; dirtyBytes: number | null };
export type MatrixRow = {
  target: string;
  /** null: recorded, but the host did not list it (any more). */
  disk: GraphDisk | null;
  cells: MatrixCell[];
};
export type Matrix = { columns: MatrixColumn[]; rows: MatrixRow[] };

/** Columns parents first, then unclaimed bitmaps by name; rows by target. */
export function bitmapMatrix(chain: GraphChain, nodes: readonly GraphNode[] = graphNodes(chain)): Matrix {
  const covers = coverage(chain);
  const known = new Set(nodes.map(({ id }) => id));
  const attached = new Map(chain.host.disks.map((disk) => [disk.target, disk]));
  const strange = new Set<string>();
  for (const disk of chain.host.disks) {
    const claimed = new Set(covers.get(disk.target)?.values());
    for (const { name } of disk.bitmaps ?? []) if (!known.has(name) && !claimed.has(name)) strange.add(name);
  }
  const columns: MatrixColumn[] = [
    ...nodes.map(({ id }) => ({ id, type: "checkpoint" as const })),
    ...[...strange].sort().map((id) => ({ id, type: "bitmap" as const })),
  ];
  const targets = new Set([...attached.keys(), ...nodes.flatMap((node) => node.disks)]);
  const isDistrusted = distrustOf(chain);
  const rows = [...targets].sort().map((target): MatrixRow => {
    const disk = attached.get(target) ?? null;
    const bitmaps = disk?.bitmaps ? new Map(disk.bitmaps.map((bitmap) => [bitmap.name, bitmap])) : null;
    const claimed = covers.get(target) ?? new Map<string, string>();
    const cells = columns.map((column): MatrixCell => {
      const cell = cellOf(column, claimed, bitmaps);
      return isDistrusted(column.id, target, cell.state) ? { ...cell, state: "not-trusted" } : cell;
    });
    return { target, disk, cells };
  });
  return { columns, rows };
}

function cellOf(
  column: MatrixColumn,
  claimed: ReadonlyMap<string, string>,
  bitmaps: ReadonlyMap<string, DiskBitmap> | null,
): MatrixCell {
  const name = claimed.get(column.id);
  if (!bitmaps)
    return {
      state: name === undefined && column.type === "checkpoint" ? "not-covered" : "cannot-tell",
      dirtyBytes: null,
    };
  const bitmap = bitmaps.get(name ?? column.id);
  if (name !== undefined) return bitmap ? cell(bitmap, bitmap.state) : { state: "missing", dirtyBytes: null };
  return bitmap ? cell(bitmap, "unknown") : { state: "not-covered", dirtyBytes: null };
}

function cell(bitmap: DiskBitmap, state: BitmapState | "unknown"): MatrixCell {
  return { state, dirtyBytes: bitmap.dirtyBytes };
}

/** target → checkpoint → name of its bitmap there. What is recorded goes by the checkpoint's name. */
function coverage(chain: GraphChain): Map<string, Map<string, string>> {
  const covers = new Map<string, Map<string, string>>();
  const claim = (target: string, id: string, bitmap: string): void => {
    const names = covers.get(target) ?? new Map<string, string>();
    if (!names.has(id)) names.set(id, bitmap);
    covers.set(target, names);
  };
  for (const item of chain.record.checkpoints) for (const target of item.disks) claim(target, item.id, item.id);
  for (const item of chain.host.checkpoints ?? []) {
    for (const { target, bitmap } of item.disks) claim(target, item.id, bitmap);
  }
  return covers;
}
