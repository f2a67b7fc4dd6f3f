/** What the agent makes of a list when it redefines: the same rules, so that a plan can say what will happen. */
import type { HostCheckpoint } from "../model.ts";
import { coverState, isHealthyState, listedOf, type PlanFacts } from "./facts.ts";
import type { CheckpointDefinition } from "./model.ts";

/**
 * The definitions that are made, in order. What is not healthy is left out; its children go under the nearest ancestor
 * that is defined or that libvirt lists in its right place. What is equal is skipped.
 */
export function redefinitionOf(facts: PlanFacts, list: readonly CheckpointDefinition[]): CheckpointDefinition[] {
  const anchors = new Map<string, string | null>();
  const made: CheckpointDefinition[] = [];
  for (const item of list) {
    const parentId = item.parentId === null ? null : (anchors.get(item.parentId) ?? null);
    const listed = listedOf(facts, item.id);
    if (!isSound(facts, item)) {
      anchors.set(item.id, listed && listed.parentId === parentId ? item.id : parentId);
      continue;
    }
    anchors.set(item.id, item.id);
    if (!isSame(listed, item, parentId)) made.push({ ...item, parentId });
  }
  return made;
}

function isSound(facts: PlanFacts, { id, disks }: CheckpointDefinition): boolean {
  return disks.every((target) => {
    const state = coverState(facts, id, target);
    return isHealthyState(state) || state === "forbidden";
  });
}

function isSame(listed: HostCheckpoint | undefined, item: CheckpointDefinition, parentId: string | null): boolean {
  if (!listed?.hasDisksElement || listed.parentId !== parentId || listed.disks.length !== item.disks.length)
    return false;
  const bitmaps = new Map(listed.disks.map(({ target, bitmap }) => [target, bitmap]));
  return item.disks.every((target) => bitmaps.get(target) === item.id);
}
