/** The bitmaps of an observation's disks, for those who ask about many of them. */
import { type BitmapView, viewBitmaps } from "./bitmaps.ts";
import type { DiskObservation, Observation } from "./model.ts";
import { readLayers } from "./trust.ts";

/** A disk's bitmaps by name, as `viewBitmaps` gives them; null: the disk is not there, or was not read. */
export type BitmapViews = (target: string) => ReadonlyMap<string, BitmapView> | null;

/** Looks at each disk at most once, and at none that nobody asks about. */
export function bitmapViews(observation: Observation): BitmapViews {
  const disks = new Map<string, DiskObservation>();
  for (const disk of observation.disks) if (!disks.has(disk.target)) disks.set(disk.target, disk);
  const known = new Map<string, ReadonlyMap<string, BitmapView> | null>();
  return (target) => {
    const before = known.get(target);
    if (before !== undefined) return before;
    const disk = disks.get(target);
    const layers = disk && readLayers(observation, disk);
    const views = layers?.ok ? viewBitmaps(target, layers.value) : null;
    known.set(target, views);
    return views;
  };
}
