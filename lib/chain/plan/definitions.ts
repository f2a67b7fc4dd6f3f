/** The complete list that a redefine sends: parents first, explicit disks, nothing that is not healthy. */
import { sharedAncestors } from "../findings/metadata.ts";
import type { HostCheckpoint, RecordCheckpoint } from "../model.ts";
import { orderCheckpoints } from "../order.ts";
import { type CoverState, countsHere, coverState, isHealthyState, type PlanFacts } from "./facts.ts";
import type { CheckpointDefinition, PlanMode } from "./model.ts";

export type LeftOut = { id: string; disks: { disk: string; state: CoverState }[] };

export type Definitions = {
  /** What is sent, the current line first. A checkpoint's parent is in the list too. */
  list: CheckpointDefinition[];
  /** Of these: not listed by libvirt, and listed wrongly. */
  define: string[];
  replace: string[];
  /** Recorded, but not healthy or not read on the disks that are named. */
  leftOut: LeftOut[];
  /** Disks whose bitmaps the host keeps from being read by forbidding QMP. */
  forbidden: string[];
};

/** An unfinished checkpoint must never be made usable. */
function isDefinable(item: RecordCheckpoint): boolean {
  return item.state === "active" && item.backup !== "failed" && item.backup !== "aborted";
}

/**
 * Needs libvirt's list to be read; without it nothing is defined. What may not be defined but is listed all the same
 * stands in the list as an anchor, so that its children keep their place below it; the agent defines nothing that is
 * not healthy. A strict list has no unhealthy anchor: it would be refused as a whole. Where one is needed it counts as left out.
 */
export function definitionsOf(facts: PlanFacts, mode: PlanMode): Definitions {
  const result: Definitions = { list: [], define: [], replace: [], leftOut: [], forbidden: [] };
  if (!facts.host.ok) return result;
  const host = facts.host.value;
  const forbidden = new Set<string>();
  const sent = new Map<string, string[]>();
  const anchors = new Set<string>();
  const unusable = new Map<string, LeftOut>();
  for (const item of facts.ordered) {
    const targets = namedOf(facts, item);
    if (targets.length === 0) continue;
    const states = targets.map((disk) => ({ disk, state: coverState(facts, item.id, disk) }));
    const bad = states.filter(({ state }) => !isHealthyState(state) && state !== "forbidden");
    const definable = isDefinable(item);
    // Of a checkpoint whose disks are all gone nothing is expected here.
    const isMissed = definable && targets.some((target) => facts.disks.has(target));
    if (isMissed && bad.length > 0) result.leftOut.push({ id: item.id, disks: bad });
    if (!definable || bad.length > 0) {
      if (!host.has(item.id)) continue;
      if (mode === "strict" && bad.length > 0) {
        if (!isMissed) unusable.set(item.id, { id: item.id, disks: bad });
        continue;
      }
      anchors.add(item.id);
    }
    for (const { disk, state } of states) if (definable && state === "forbidden") forbidden.add(disk);
    sent.set(item.id, targets);
  }
  const parents = sharedAncestors(facts.ordered, sent);
  const onHost = sharedAncestors(orderCheckpoints([...host.values()]).ordered, facts.recorded);
  for (const item of facts.ordered) {
    const disks = sent.get(item.id);
    if (!disks) continue;
    const parentId = parents.get(item.id) ?? null;
    result.list.push({ id: item.id, parentId, createdAt: item.createdAt, disks });
    if (anchors.has(item.id)) continue;
    const listed = host.get(item.id);
    if (!listed) result.define.push(item.id);
    else if (isWrong(facts, listed, disks) || (onHost.get(item.id) ?? null) !== parentId) result.replace.push(item.id);
  }
  result.leftOut.push(...needed(unusable, facts, sent, [...result.define, ...result.replace]));
  // Anchors alone ask for nothing.
  if (result.define.length + result.replace.length === 0 && result.list.length === anchors.size) result.list = [];
  result.forbidden = [...forbidden].sort();
  return result;
}

/** What a definition of it names. One whose disks are all gone cannot be defined, but its children may hang below it. */
function namedOf(facts: PlanFacts, item: RecordCheckpoint): string[] {
  const targets = item.disks.map(({ target }) => target);
  return targets.some((target) => facts.disks.has(target))
    ? targets.filter((target) => countsHere(facts, target))
    : targets;
}

/** Of the anchors that a strict list cannot have: those without which one of these would not come below its parent. */
function needed(
  unusable: ReadonlyMap<string, LeftOut>,
  { ordered }: PlanFacts,
  sent: ReadonlyMap<string, unknown>,
  ids: readonly string[],
): LeftOut[] {
  if (unusable.size === 0) return [];
  const above = new Map<string, LeftOut | undefined>();
  for (const { id, parentId } of ordered) {
    if (parentId === null || sent.has(parentId)) continue;
    above.set(id, unusable.get(parentId) ?? above.get(parentId));
  }
  return [...new Set(ids.flatMap((id) => above.get(id) ?? []))];
}

/** Disks that are gone or retired may stay in libvirt's definition: nothing is done with them. */
function isWrong(facts: PlanFacts, listed: HostCheckpoint, disks: readonly string[]): boolean {
  if (!listed.hasDisksElement) return true;
  const named = listed.disks.filter(({ target }) => countsHere(facts, target));
  if (named.some(({ bitmap }) => bitmap !== listed.id)) return true;
  const targets = new Set(named.map(({ target }) => target));
  return targets.size !== disks.length || disks.some((target) => !targets.has(target));
}
