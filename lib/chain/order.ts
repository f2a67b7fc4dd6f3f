/** Topological order, as libvirt needs it: a parent must be defined before its child. */
import { byId, compareAge, currentLine, type TreeItem } from "./tree.ts";

export { currentLine } from "./tree.ts";

export type OrderOffence =
  | { kind: "duplicate"; id: string; count: number }
  | { kind: "missing-parent"; id: string; parentId: string }
  /** Members oldest first; a checkpoint that is its own parent is a cycle of one. */
  | { kind: "cycle"; ids: string[] };

/** `ordered` is there in both cases: with offences it is the best that can be drawn, and must not be sent to a host. */
export type OrderResult<T> = { ok: true; ordered: T[] } | { ok: false; ordered: T[]; offences: OrderOffence[] };

/**
 * Parents first, the VM's current line before side branches (libvirt moves its own "current" only along children of
 * the current one), otherwise oldest first. The same set gives the same order whatever order it comes in.
 * Never throws. O(V+E) after one sort. `byAge`: branches stand between the others where they were made, for drawing.
 */
export function orderCheckpoints<T extends TreeItem & { state?: string }>(
  list: readonly T[],
  options: { byAge?: boolean } = {},
): OrderResult<T> {
  const offences: OrderOffence[] = duplicates(list);
  const known = byId(list);
  const sorted = [...known.values()].sort(compareAge);
  for (const item of sorted) {
    if (item.parentId !== null && !known.has(item.parentId)) {
      offences.push({ kind: "missing-parent", id: item.id, parentId: item.parentId });
    }
  }
  const cycles = findCycles(sorted, known);
  for (const ids of cycles) offences.push({ kind: "cycle", ids });

  // A cycle is cut above its oldest member, so that the rest can still be drawn.
  const cut = new Set(cycles.map((ids) => ids[0]));
  const ordered: T[] = [];
  const done = new Set<string>();
  const place = (item: T): void => {
    const path: T[] = [];
    let at: T | undefined = item;
    while (at && !done.has(at.id)) {
      done.add(at.id);
      path.push(at);
      at = at.parentId === null || cut.has(at.id) ? undefined : known.get(at.parentId);
    }
    for (let index = path.length - 1; index >= 0; index--) {
      const next = path[index];
      if (next) ordered.push(next);
    }
  };
  const tip = currentLine({ checkpoints: sorted }).at(-1);
  if (tip && !options.byAge) place(tip);
  for (const item of sorted) place(item);
  return offences.length === 0 ? { ok: true, ordered } : { ok: false, ordered, offences };
}

function duplicates(list: readonly TreeItem[]): OrderOffence[] {
  const counts = new Map<string, number>();
  for (const { id } of list) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > 1)
    .map(([id, count]) => ({ kind: "duplicate" as const, id, count }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Every node has one parent, so a cycle is met by walking up; each node is walked once. */
function findCycles<T extends TreeItem>(sorted: readonly T[], known: ReadonlyMap<string, T>): string[][] {
  const walkOf = new Map<string, number>();
  const cycles: string[][] = [];
  sorted.forEach((start, walk) => {
    let at: T | undefined = start;
    while (at && !walkOf.has(at.id)) {
      walkOf.set(at.id, walk);
      at = at.parentId === null ? undefined : known.get(at.parentId);
    }
    if (!at || walkOf.get(at.id) !== walk) return;
    const members: T[] = [];
    const first = at;
    let member: T | undefined = first;
    do {
      members.push(member);
      member = member.parentId === null ? undefined : known.get(member.parentId);
    } while (member && member !== first);
    cycles.push(members.sort(compareAge).map(({ id }) => id));
  });
  return cycles;
}
