/** Whole checkpoints go: the parts that heal, prune and remove share. */
import { orderCheckpoints } from "../order.ts";
import { hasBitmap, listedOf, type PlanFacts } from "./facts.ts";
import { touchedDisks } from "./guards.ts";
import type { BitmapName, PlanAction } from "./model.ts";

export type Deletion = {
  /** Recorded, in the order of the record. */
  recorded: string[];
  /** Listed by libvirt, leaf to root. Every bitmap of their name goes with them. */
  listed: string[];
  /** Bitmaps of those that libvirt does not list. */
  bitmaps: BitmapName[];
};

/** `ids`: recorded ones, listed ones, or both. */
export function deletionOf(facts: PlanFacts, ids: Iterable<string>): Deletion {
  const named = new Set(ids);
  const recorded = facts.ordered.filter(({ id }) => named.has(id)).map(({ id }) => id);
  const deletion: Deletion = { recorded, listed: leafToRoot(facts, named), bitmaps: [] };
  for (const id of named) {
    if (listedOf(facts, id)) continue;
    const item = facts.recorded.get(id);
    // Half-made and half-deleted ones may be on any disk.
    const isHalf = item !== undefined && item.state !== "active";
    for (const disk of isHalf ? facts.disks.keys() : touchedDisks(facts, id)) {
      if (hasBitmap(facts, disk, id)) deletion.bitmaps.push({ disk, bitmap: id });
    }
  }
  return deletion;
}

export function leafToRoot(facts: PlanFacts, ids: ReadonlySet<string>): string[] {
  if (!facts.host.ok) return [];
  const known = [...facts.host.value.values()];
  if (!known.some(({ id }) => ids.has(id))) return [];
  return orderCheckpoints(known)
    .ordered.filter(({ id }) => ids.has(id))
    .map(({ id }) => id)
    .reverse();
}

/** From `record.mark-deleting` on they are no base, whatever happens; the rows go when the host has nothing of them. */
export function deletionActions({ recorded, listed, bitmaps }: Deletion): PlanAction[] {
  return [
    { verb: "record.mark-deleting", ids: recorded },
    { verb: "host.delete-checkpoints", ids: listed },
    { verb: "host.delete-bitmaps", items: bitmaps },
    { verb: "record.delete", ids: recorded },
    { verb: "prove" },
  ];
}
