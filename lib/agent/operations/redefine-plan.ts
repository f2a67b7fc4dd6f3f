/** What a bulk redefinition has to do, as a value: from the wanted list, what is left out, and what libvirt lists. */
import type { RedefineInput } from "#contract/agent-operations.ts";
import type { Define } from "./host-steps.ts";

type Wanted = RedefineInput["checkpoints"][number];
/** A checkpoint as libvirt lists it. */
export type Listed = {
  parentId: string | null;
  createdAt: string;
  hasDisksElement: boolean;
  disks: { target: string; bitmap: string }[];
};
export type RedefinePlan = { steps: Define[]; unchanged: string[] };

/** Same parent, same disks, each with the bitmap that is named. */
export function isSame(listed: Listed | undefined, wanted: Define): boolean {
  if (listed === undefined || listed.parentId !== wanted.parentId || !listed.hasDisksElement) return false;
  const disks = wanted.disks ?? [];
  if (listed.disks.length !== disks.length) return false;
  const bitmaps = new Map(listed.disks.map(({ target, bitmap }) => [target, bitmap]));
  return disks.every(({ target, bitmap }) => bitmaps.get(target) === bitmap);
}

function toDefine({ id, createdAt, disks }: Wanted, parentId: string | null): Define {
  return { do: "define", id, parentId, createdAt, disks: disks.map(({ target }) => ({ target, bitmap: id })) };
}

/**
 * In the order of `wanted`, which is parents first. Children of what is left out are linked to the nearest ancestor that
 * is defined: one that is defined here, or one that libvirt lists already in its right place (in another place it could
 * be a descendant).
 */
export function planRedefine(
  wanted: readonly Wanted[],
  leftOut: ReadonlySet<string>,
  listed: ReadonlyMap<string, Listed>,
): RedefinePlan {
  const anchors = new Map<string, string | null>();
  const plan: RedefinePlan = { steps: [], unchanged: [] };
  for (const item of wanted) {
    const parentId = item.parentId === null ? null : (anchors.get(item.parentId) ?? null);
    if (leftOut.has(item.id)) {
      const there = listed.get(item.id);
      anchors.set(item.id, there !== undefined && there.parentId === parentId ? item.id : parentId);
      continue;
    }
    anchors.set(item.id, item.id);
    const define = toDefine(item, parentId);
    if (isSame(listed.get(item.id), define)) plan.unchanged.push(item.id);
    else plan.steps.push(define);
  }
  return plan;
}
