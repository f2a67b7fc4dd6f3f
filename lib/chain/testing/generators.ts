/** fast-check generators of chains. For tests only; nothing of the product imports this. */
import fc from "fast-check";
import type { DirtySample, DiskLayer, DriftInput } from "../model.ts";
import { GIB, healthyInput, hour, KIB } from "./healthy.ts";

const TARGETS = ["vda", "vdb", "vdc", "sda"];

/** A forest as parent indices: item `i` has a parent below `i`, or null. Mostly lines with some forks and roots. */
function arbParents(max = 12): fc.Arbitrary<(number | null)[]> {
  return fc
    .array(fc.record({ fork: fc.integer({ min: 0, max: 9 }), pick: fc.nat() }), { minLength: 1, maxLength: max })
    .map((list) =>
      list.map(({ fork, pick }, index) => {
        if (index === 0 || fork === 9) return null;
        return fork < 6 ? index - 1 : pick % index;
      }),
    );
}

export type TreeNode = { id: string; parentId: string | null; createdAt: string; sequence: number };

/** A forest with ids, times and sequence, in any order of insertion. */
export function arbShuffledTree(max = 40): fc.Arbitrary<TreeNode[]> {
  return arbParents(max).chain((parents) => {
    const nodes = parents.map((parent, index) => ({
      id: `cp${index}`,
      parentId: parent === null ? null : `cp${parent}`,
      createdAt: hour(index),
      sequence: index,
    }));
    return fc.shuffledSubarray(nodes, { minLength: nodes.length });
  });
}

/**
 * A whole input on which all witnesses agree: several disks, forks, disks that joined later, one or two images in a
 * backing chain, counts that were sampled before, a VM that runs, is paused or is shut off.
 */
export function arbHealthy(options: { live?: boolean } = {}): fc.Arbitrary<DriftInput> {
  const powers = options.live ? (["running", "paused"] as const) : (["running", "paused", "shut-off"] as const);
  return fc
    .record({
      parents: arbParents(),
      diskCount: fc.integer({ min: 1, max: TARGETS.length }),
      power: fc.constantFrom(...powers),
      joined: fc.array(fc.nat(6), { minLength: TARGETS.length, maxLength: TARGETS.length }),
      snapshotAt: fc.array(fc.option(fc.nat(12), { nil: null }), {
        minLength: TARGETS.length,
        maxLength: TARGETS.length,
      }),
      sampled: fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }),
      backupRuns: fc.boolean(),
    })
    .map(({ parents, diskCount, power, joined, snapshotAt, sampled, backupRuns }) => {
      const targets = TARGETS.slice(0, diskCount);
      const covers = (index: number, target: string) =>
        target === "vda" || index >= (joined[targets.indexOf(target)] ?? 0);
      const input = healthyInput({ parents, targets, power, covers });
      input.observation.disks.forEach((disk, index) => {
        const at = snapshotAt[index] ?? null;
        if (disk.layers.ok && at !== null) disk.layers.value = withSnapshot(disk.layers.value, at);
      });
      input.samples = samplesOf(input, sampled);
      if (backupRuns && power === "running") {
        const job = { operation: "backup", elapsedMs: 60_000, doneBytes: 1, totalBytes: GIB } as const;
        input.observation.job = { ok: true, value: job };
      }
      return input;
    });
}

/** As if an external snapshot had been taken after checkpoint `at`, with the bitmaps carried on. */
function withSnapshot(layers: DiskLayer[], at: number): DiskLayer[] {
  const [top] = layers;
  if (!top) return layers;
  const older = top.bitmaps.filter(({ name }) => Number(name.slice(2)) <= at).map((bitmap) => ({ ...bitmap }));
  return [top, { ...top, depth: 1, path: `${top.path}.base`, bitmaps: older }];
}

/** Earlier counts: never above what is there now. */
function samplesOf(input: DriftInput, less: readonly number[]): DirtySample[] {
  return input.observation.disks.flatMap(({ target, layers }) =>
    (layers.ok ? layers.value : []).flatMap((layer) =>
      layer.bitmaps.flatMap(({ name, dirtyBytes, granularity }, index) => {
        if (dirtyBytes === null) return [];
        const before = Math.max(0, dirtyBytes - (less[index % less.length] ?? 0) * 64 * KIB);
        return [
          {
            target,
            bitmap: name,
            layerPath: layer.path,
            dirtyBytes: before,
            granularity,
            at: hour(0),
            runtimeId: "run-0",
          },
        ];
      }),
    ),
  );
}

/** The same input with every list in another order; its meaning is the same. */
export function arbReordered(input: DriftInput): fc.Arbitrary<DriftInput> {
  return fc.infiniteStream(fc.nat()).map((stream) => {
    const shuffle = <T>(list: readonly T[]): T[] => {
      const left = [...list];
      return list.flatMap(() => left.splice((stream.next().value ?? 0) % left.length, 1));
    };
    const { record, observation } = structuredClone(input);
    record.checkpoints = shuffle(record.checkpoints).map((item) => ({ ...item, disks: shuffle(item.disks) }));
    record.disks = shuffle(record.disks);
    observation.disks = shuffle(observation.disks);
    for (const { layers } of observation.disks) {
      if (!layers.ok) continue;
      layers.value = shuffle(layers.value).map((layer) => ({ ...layer, bitmaps: shuffle(layer.bitmaps) }));
    }
    if (observation.checkpoints.ok) observation.checkpoints.value = shuffle(observation.checkpoints.value);
    return { ...input, record, observation, samples: shuffle(input.samples) };
  });
}
