/**
 * Canonical texts of an observation, which the agent hashes (SHA-256, hex). Order of lists in the answer of a host
 * does not matter; what moves while nothing is wrong is left out.
 */
import { isInternalBitmap } from "./bitmaps.ts";
import type { DirtyCount, DiskObservation, HostCheckpoint, Observation, Read } from "./model.ts";

/** All but observedAt, dirty counts, `busy`, job progress, internal bitmaps of a job, and the digests themselves. */
export function digestInput(observation: Observation): string {
  return JSON.stringify([
    "driftline-observation-1",
    observation.vmId,
    observation.name,
    observation.power,
    observation.persistent,
    observation.runtimeId,
    observation.source,
    read(observation.checkpoints, (list) => [...list].sort(by((item) => item.id)).map(checkpointPart)),
    [...observation.disks].sort(by((disk) => disk.target)).map(diskPart),
    read(observation.job, (job) => job.operation),
  ]);
}

/** The dirty counts alone, in a fixed order. */
export function countsDigestInput(observation: Observation): string {
  const rows = countsOf(observation).map((count) =>
    JSON.stringify([count.target, count.layerPath, count.bitmap, count.granularity, count.dirtyBytes]),
  );
  return JSON.stringify(["driftline-counts-1", rows.sort()]);
}

/** Every count that this observation carries; none of a cold read, which has no counts. */
export function countsOf(observation: Observation): DirtyCount[] {
  const counts: DirtyCount[] = [];
  for (const { target, layers } of observation.disks) {
    if (!layers.ok) continue;
    for (const layer of layers.value) {
      for (const bitmap of layer.bitmaps) {
        if (bitmap.dirtyBytes === null || isInternalBitmap(target, bitmap)) continue;
        const { name, dirtyBytes, granularity } = bitmap;
        counts.push({ target, bitmap: name, layerPath: layer.path, dirtyBytes, granularity });
      }
    }
  }
  return counts;
}

function checkpointPart(item: HostCheckpoint): unknown {
  const disks = [...item.disks].sort(by((disk) => disk.target)).map((disk) => [disk.target, disk.bitmap]);
  return [item.id, item.parentId, item.createdAt, item.current, item.hasDisksElement, disks];
}

function diskPart({ target, source, format, virtualSize, identity, layers }: DiskObservation): unknown {
  return [
    target,
    source,
    format,
    virtualSize,
    identity && [identity.path, identity.device, identity.inode, identity.size],
    read(layers, (list) =>
      [...list]
        .sort((a, b) => a.depth - b.depth)
        .map((layer) => [
          layer.depth,
          layer.path,
          layer.format,
          layer.qcow2Compat,
          layer.bitmaps
            .filter((bitmap) => !isInternalBitmap(target, bitmap))
            .sort(by((bitmap) => bitmap.name))
            .map((bitmap) => [
              bitmap.name,
              bitmap.recording,
              bitmap.persistent,
              bitmap.inconsistent,
              bitmap.granularity,
            ]),
        ]),
    ),
  ];
}

/** Of a failure only its code: a host's words may carry process ids and times. */
function read<T>(value: Read<T>, part: (value: T) => unknown): unknown {
  return value.ok ? ["ok", part(value.value)] : ["failed", value.error.code];
}

function by<T>(key: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => {
    const left = key(a);
    const right = key(b);
    return left < right ? -1 : left > right ? 1 : 0;
  };
}
