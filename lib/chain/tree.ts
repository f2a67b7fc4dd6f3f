/** Walks over a tree of checkpoints. All iterative: a chain of 20,000 must not overflow the stack. */

export type TreeItem = { id: string; parentId: string | null; createdAt: string; sequence?: number };

/** Older first: sequence where both have one, then creation time, then id. A total order over distinct ids. */
export function compareAge(a: TreeItem, b: TreeItem): number {
  if (a.sequence !== undefined && b.sequence !== undefined && a.sequence !== b.sequence) return a.sequence - b.sequence;
  const byTime = compareTime(a.createdAt, b.createdAt);
  if (byTime !== 0) return byTime;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** UTC times of one spelling compare as text, which is what nearly all are; others are parsed; no time is equal to any. */
function compareTime(a: string, b: string): number {
  if (a === b) return 0;
  if (a.length === b.length && a.endsWith("Z") && b.endsWith("Z")) return a < b ? -1 : 1;
  const difference = Date.parse(a) - Date.parse(b);
  return Number.isNaN(difference) ? 0 : difference;
}

/** First item of each id. */
export function byId<T extends { id: string }>(list: readonly T[]): Map<string, T> {
  const map = new Map<string, T>();
  for (const item of list) if (!map.has(item.id)) map.set(item.id, item);
  return map;
}

/** Children by parent id, oldest first; roots and items whose parent is not in the list stand under null. */
export function childrenByParent<T extends TreeItem>(list: readonly T[]): Map<string | null, T[]> {
  const known = byId(list);
  const children = new Map<string | null, T[]>();
  for (const item of [...known.values()].sort(compareAge)) {
    const parent = item.parentId !== null && known.has(item.parentId) ? item.parentId : null;
    const siblings = children.get(parent);
    if (siblings) siblings.push(item);
    else children.set(parent, [item]);
  }
  return children;
}

/** From the root down to `tip`, both included; stops at a missing parent and never runs in a circle. */
export function pathTo<T extends TreeItem>(known: ReadonlyMap<string, T>, tip: T): T[] {
  const path: T[] = [];
  const seen = new Set<string>();
  let at: T | undefined = tip;
  while (at && !seen.has(at.id)) {
    seen.add(at.id);
    path.push(at);
    at = at.parentId === null ? undefined : known.get(at.parentId);
  }
  return path.reverse();
}

/** The newest item, or undefined of an empty list. */
export function newestOf<T extends TreeItem>(list: readonly T[]): T | undefined {
  let newest: T | undefined;
  for (const item of list) if (!newest || compareAge(newest, item) < 0) newest = item;
  return newest;
}

/** Every descendant of `id`, parents before children. */
export function descendantsOf<T extends TreeItem>(children: ReadonlyMap<string | null, T[]>, id: string): T[] {
  const found: T[] = [];
  const seen = new Set([id]);
  let frontier = children.get(id) ?? [];
  while (frontier.length > 0) {
    const next: T[] = [];
    for (const child of frontier) {
      if (seen.has(child.id)) continue;
      seen.add(child.id);
      found.push(child);
      for (const grandchild of children.get(child.id) ?? []) next.push(grandchild);
    }
    frontier = next;
  }
  return found;
}

/**
 * The line that the VM is on: from the root to the newest active checkpoint. Side branches (left behind by a restore
 * or a revert) are not on it. Checkpoints being created or deleted may lie on the way and are included there.
 */
export function currentLine<T extends TreeItem & { state?: string }>(record: { checkpoints: readonly T[] }): T[] {
  const active = record.checkpoints.filter((item) => item.state === undefined || item.state === "active");
  const tip = newestOf(active.length > 0 ? active : record.checkpoints);
  return tip ? pathTo(byId(record.checkpoints), tip) : [];
}

/** The checkpoints that cover each disk, in the order of the list. */
export function coveringByDisk<T extends { disks: readonly { target: string }[] }>(
  list: readonly T[],
): Map<string, T[]> {
  const covering = new Map<string, T[]>();
  for (const item of list) {
    for (const { target } of item.disks) {
      const items = covering.get(target);
      if (items) items.push(item);
      else covering.set(target, [item]);
    }
  }
  return covering;
}
