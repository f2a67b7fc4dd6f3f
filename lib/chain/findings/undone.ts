/** The one way in which a rewind can be seen to be undone without a heal: the right image is back, and proves it. */
import { viewBitmaps } from "../bitmaps.ts";
import type { DirtyCount, Observation } from "../model.ts";
import { readLayers } from "../trust.ts";

export type UndoneInput = {
  observation: Observation;
  /** Highest trusted counts, from before the rewind. */
  peaks: readonly DirtyCount[];
  /** The last counts of the run before this one, when the disk was rewound. */
  lastRun: readonly DirtyCount[];
};

const keyOf = ({ target, bitmap, layerPath, granularity }: DirtyCount): string =>
  [target, bitmap, granularity, layerPath].join("\n");

/**
 * Targets whose rewind is over: in a new run *every* bitmap of the disk stands exactly where it stood before the
 * rewind. Ordinary writes cannot be mistaken for that: a fresh write adds the same to all bitmaps, so at least two of
 * them must have had to gain different amounts since the last run. One bitmap alone, or equal gains, proves nothing.
 */
export function findUndoneRewinds({ observation, peaks, lastRun }: UndoneInput): Set<string> {
  const peakOf = new Map(peaks.map((count) => [keyOf(count), count.dirtyBytes]));
  const lastOf = new Map(lastRun.map((count) => [keyOf(count), count.dirtyBytes]));
  const undone = new Set<string>();
  for (const disk of observation.disks) {
    const layers = readLayers(observation, disk);
    if (!layers.ok) continue;
    const gains: number[] = [];
    let isExact = true;
    for (const [bitmap, view] of viewBitmaps(disk.target, layers.value)) {
      for (const { layer, bitmap: held } of view.held) {
        if (held.dirtyBytes === null) isExact = false;
        else {
          const place = { target: disk.target, bitmap, layerPath: layer.path, granularity: held.granularity };
          const key = keyOf({ ...place, dirtyBytes: 0 });
          const peak = peakOf.get(key);
          const last = lastOf.get(key);
          // A bitmap that nothing is known of says nothing, for or against.
          if (peak === undefined || last === undefined) continue;
          if (held.dirtyBytes !== peak) isExact = false;
          gains.push(peak - last);
        }
      }
    }
    if (isExact && new Set(gains).size > 1 && gains.every((gain) => gain >= 0)) undone.add(disk.target);
  }
  return undone;
}
