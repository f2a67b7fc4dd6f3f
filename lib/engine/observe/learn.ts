/** What a read that nothing speaks against teaches about bitmaps. Pure; `recompute` stores it. */
import { viewBitmaps } from "#chain/bitmaps.ts";
import type { DirtyCount, DriftInput } from "#chain/model.ts";
import { readLayers } from "#chain/trust.ts";

type Doubted = ReadonlySet<string | null>;

function* trustedDisks({ observation }: DriftInput, doubted: Doubted) {
  for (const disk of observation.disks) {
    const layers = readLayers(observation, disk);
    if (layers.ok && !doubted.has(disk.target)) yield { target: disk.target, layers: layers.value };
  }
}

/** Known counts in images that are no longer in the disk's chain, of bitmaps that go on in what is left of it. */
export function committedCounts(input: DriftInput, doubted: Doubted): Omit<DirtyCount, "dirtyBytes" | "granularity">[] {
  const samples = Map.groupBy(input.samples, ({ target }) => target);
  return [...trustedDisks(input, doubted)].flatMap(({ target, layers }) => {
    const paths = new Set(layers.map(({ path }) => path));
    const left = (samples.get(target) ?? []).filter(({ layerPath }) => !paths.has(layerPath));
    if (left.length === 0) return [];
    const bitmaps = viewBitmaps(target, layers);
    return left
      .filter(({ bitmap }) => bitmaps.get(bitmap)?.state === "recording")
      .map(({ bitmap, layerPath }) => ({ target, bitmap, layerPath }));
  });
}

/** Granularities of healthy bitmaps of which the record has none yet; one that differs between images says nothing. */
export function unknownGranularities(input: DriftInput, diskIds: ReadonlyMap<string, string>, doubted: Doubted) {
  const wanted = new Map<string, string[]>();
  for (const { id, state, disks } of input.record.checkpoints) {
    if (state !== "active") continue;
    for (const { target, granularity } of disks)
      if (granularity === null) (wanted.get(target) ?? wanted.set(target, []).get(target))?.push(id);
  }
  return [...trustedDisks(input, doubted)].flatMap(({ target, layers }) => {
    const ids = wanted.get(target) ?? [];
    const diskId = diskIds.get(target);
    if (ids.length === 0 || !diskId) return [];
    const bitmaps = viewBitmaps(target, layers);
    return ids.flatMap((checkpointId) => {
      const view = bitmaps.get(checkpointId);
      const seen = new Set(view?.held.map(({ bitmap }) => bitmap.granularity));
      const [granularity] = seen;
      if (view?.state !== "recording" || seen.size !== 1 || granularity === undefined) return [];
      return [{ checkpointId, diskId, granularity }];
    });
  });
}
