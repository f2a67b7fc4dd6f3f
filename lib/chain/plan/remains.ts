/** What a plan deletes on a host and a later read of it still shows. */
import type { Observation } from "../model.ts";
import { readCheckpoints, readLayers } from "../trust.ts";
import type { BitmapName, PlanAction } from "./model.ts";

export type Remains = { checkpoints: string[]; bitmaps: BitmapName[] };

/**
 * Only what was read speaks: a list or a disk that was not shows nothing, and proves nothing either. A checkpoint goes
 * with every bitmap of its name; of bitmaps that were named alone only those on the named disks.
 */
export function findRemains(observation: Observation, actions: readonly PlanAction[]): Remains {
  const ids = new Set<string>();
  const named = new Map<string, Set<string>>();
  for (const action of actions) {
    if (action.verb === "host.delete-checkpoints") for (const id of action.ids) ids.add(id);
    if (action.verb !== "host.delete-bitmaps") continue;
    for (const { disk, bitmap } of action.items) named.set(disk, (named.get(disk) ?? new Set()).add(bitmap));
  }
  const listed = readCheckpoints(observation);
  return {
    checkpoints: listed.ok ? listed.value.map(({ id }) => id).filter((id) => ids.has(id)) : [],
    bitmaps: observation.disks.flatMap((disk) => {
      const layers = readLayers(observation, disk);
      if (!layers.ok) return [];
      const names = new Set(layers.value.flatMap((layer) => layer.bitmaps.map(({ name }) => name)));
      return [...names]
        .filter((name) => ids.has(name) || named.get(disk.target)?.has(name))
        .map((bitmap) => ({ disk: disk.target, bitmap }));
    }),
  };
}

/** Each in words. */
export function listRemains({ checkpoints, bitmaps }: Remains): string[] {
  return [
    ...checkpoints.map((id) => `checkpoint ${id}`),
    ...bitmaps.map(({ disk, bitmap }) => `bitmap ${bitmap} on ${disk}`),
  ];
}

/** All in one; many are counted. */
export function sayRemains(remains: Remains): string {
  const all = listRemains(remains);
  return all.length > 4 ? `${all.slice(0, 3).join(", ")} and ${all.length - 3} more` : all.join(", ");
}
