/**
 * Git-style lanes for a forest. One row an item; a branch takes the first lane that is free at its fork and keeps it
 * until its last item, so that no line ever runs through a foreign node.
 */
import { LowestFirst } from "./lowest-first.ts";

export type LaneItem = { id: string; parentId: string | null; current?: boolean };
export type LaneRow = { id: string; row: number; lane: number };
/** Leaves the parent sideways and runs down in the child's lane. */
export type LaneEdge = { from: string; to: string; fromRow: number; toRow: number; fromLane: number; toLane: number };
export type Lanes = { rows: LaneRow[]; edges: LaneEdge[]; laneCount: number };

/**
 * `items` parents first (`graphNodes` gives them so); a parent that is not above its child counts as none. The child
 * on the current line, else the oldest, continues its parent's lane. O(V log lanes).
 */
export function assignLanes(items: readonly LaneItem[]): Lanes {
  const children = childrenAbove(items);
  const free = new LowestFirst();
  let laneCount = 0;
  const takeLane = (): number => free.take() ?? laneCount++;
  const reserved = new Map<string, number>();
  const placed = new Map<string, LaneRow>();
  const rows: LaneRow[] = [];
  const edges: LaneEdge[] = [];
  items.forEach(({ id, parentId }, row) => {
    const lane = reserved.get(id) ?? takeLane();
    const here = { id, row, lane };
    rows.push(here);
    placed.set(id, here);
    const parent = reserved.has(id) && parentId !== null ? placed.get(parentId) : undefined;
    if (parent) {
      edges.push({ from: parent.id, to: id, fromRow: parent.row, toRow: row, fromLane: parent.lane, toLane: lane });
    }
    const below = children.get(id) ?? [];
    const heir = below.find((child) => child.current) ?? below[0];
    if (!heir) free.give(lane);
    for (const child of below) reserved.set(child.id, child === heir ? lane : takeLane());
  });
  return { rows, edges, laneCount };
}

function childrenAbove(items: readonly LaneItem[]): Map<string, LaneItem[]> {
  const children = new Map<string, LaneItem[]>();
  for (const item of items) {
    if (item.parentId !== null) children.get(item.parentId)?.push(item);
    if (!children.has(item.id)) children.set(item.id, []);
  }
  return children;
}

/** Lanes with a line or node in each row of a window, for the gutter of a list: `through[i]` belongs to row `from + i`. */
export function lanesThrough(lanes: Lanes, from: number, to: number): number[][] {
  const through = Array.from({ length: Math.max(0, to - from) }, () => new Set<number>());
  for (const { row, lane } of lanes.rows.slice(Math.max(0, from), to)) through[row - from]?.add(lane);
  for (const edge of lanes.edges) {
    if (edge.toRow < from || edge.fromRow >= to) continue;
    for (let row = Math.max(edge.fromRow + 1, from); row <= Math.min(edge.toRow, to - 1); row++) {
      through[row - from]?.add(edge.toLane);
    }
  }
  return through.map((set) => [...set].sort((a, b) => a - b));
}
