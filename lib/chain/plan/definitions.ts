/** The complete list that a redefine sends: parents first, explicit disks, nothing that is not healthy. */
import { sharedAncestors } from "../findings/metadata.ts";
import type { HostCheckpoint, RecordCheckpoint } from "../model.ts";
import { orderCheckpoints } from "../order.ts";
import { type CoverState, countsHere, coverState, isHealthyState, type PlanFacts } from "./facts.ts";
import type { CheckpointDefinition } from "./model.ts";

export type LeftOut = { id: string; disks: { disk: string; state: CoverState }[] };

export type Definitions = {
  /** Everything that may be defined, the current line first. */
  list: CheckpointDefinition[];
  /** Of these: not listed by libvirt, and listed wrongly. */
  define: string[];
  replace: string[];
  /** Recorded, but not healthy or not read on the disks that are named. */
  leftOut: LeftOut[];
  /** Disks whose bitmaps the host keeps from being read by forbidding QMP. */
  forbidden: string[];
};

/** An unfinished checkpoint must never be made usable, so that it is not in the list. */
function isDefinable(item: RecordCheckpoint): boolean {
  return item.state === "active" && item.backup !== "failed" && item.backup !== "aborted";
}

/** Needs libvirt's list to be read; without it nothing is defined. */
export function definitionsOf(facts: PlanFacts): Definitions {
  const result: Definitions = { list: [], define: [], replace: [], leftOut: [], forbidden: [] };
  if (!facts.host.ok) return result;
  const forbidden = new Set<string>();
  const sent = new Map<string, string[]>();
  for (const item of facts.ordered) {
    if (!isDefinable(item)) continue;
    const targets = item.disks.map(({ target }) => target).filter((target) => countsHere(facts, target));
    if (targets.length === 0) continue;
    const states = targets.map((disk) => ({ disk, state: coverState(facts, item.id, disk) }));
    const bad = states.filter(({ state }) => !isHealthyState(state) && state !== "forbidden");
    if (bad.length > 0) result.leftOut.push({ id: item.id, disks: bad });
    else {
      for (const { disk, state } of states) if (state === "forbidden") forbidden.add(disk);
      sent.set(item.id, targets);
    }
  }
  const host = facts.host.value;
  const isThere = { has: (id: string) => sent.has(id) || host.has(id) };
  const parents = sharedAncestors(facts.ordered, isThere);
  const onHost = sharedAncestors(orderCheckpoints([...host.values()]).ordered, facts.recorded);
  for (const item of facts.ordered) {
    const disks = sent.get(item.id);
    if (!disks) continue;
    const parentId = parents.get(item.id) ?? null;
    result.list.push({ id: item.id, parentId, createdAt: item.createdAt, disks });
    const listed = host.get(item.id);
    if (!listed) result.define.push(item.id);
    else if (isWrong(facts, listed, disks) || isElsewhere(listed, parentId, parents, onHost)) {
      result.replace.push(item.id);
    }
  }
  result.forbidden = [...forbidden].sort();
  return result;
}

/** Disks that are gone or retired may stay in libvirt's definition: nothing is done with them. */
function isWrong(facts: PlanFacts, listed: HostCheckpoint, disks: readonly string[]): boolean {
  if (!listed.hasDisksElement) return true;
  const named = listed.disks.filter(({ target }) => countsHere(facts, target));
  if (named.some(({ bitmap }) => bitmap !== listed.id)) return true;
  const targets = new Set(named.map(({ target }) => target));
  return targets.size !== disks.length || disks.some((target) => !targets.has(target));
}

/** As `metadata.parent-differs` compares: a checkpoint that only one side knows is no difference of its children. */
function isElsewhere(
  listed: HostCheckpoint,
  parentId: string | null,
  parents: ReadonlyMap<string, string | null>,
  onHost: ReadonlyMap<string, string | null>,
): boolean {
  if (listed.parentId === parentId) return false;
  return (parents.get(listed.id) ?? null) !== (onHost.get(listed.id) ?? null);
}
