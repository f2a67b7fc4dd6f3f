/** A VM on which record, libvirt and disks agree, to start a test from. No randomness here: see generators.ts. */
import type {
  DiskObservation,
  DriftInput,
  HostCheckpoint,
  LayerBitmap,
  Observation,
  Power,
  RecordCheckpoint,
} from "../model.ts";

export const VM_UUID = "11111111-2222-4333-8444-555555555555";
const HOST = "aaaaaaaa-0000-4000-8000-000000000001";
export const OTHER_HOST = "aaaaaaaa-0000-4000-8000-000000000002";
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
const START = Date.parse("2026-01-01T00:00:00.000Z");

/** The hour at which checkpoint number `index` was made. */
export function hour(index: number): string {
  return new Date(START + index * 3_600_000).toISOString();
}

export type HealthyOptions = {
  /** Parent of each checkpoint by index, null for a root; checkpoint `i` is `cp<i>`. */
  parents: (number | null)[];
  /** Targets, for instance vda. */
  targets: string[];
  power?: Power;
  /** Which disks a checkpoint covers; all by default. */
  covers?: (index: number, target: string) => boolean;
};

export function imagePath(target: string): string {
  return `/var/lib/images/${target}.qcow2`;
}

/** A complete input of `findDrift` that gives no finding. Older checkpoints have higher counts, as they must. */
export function healthyInput(options: HealthyOptions): DriftInput {
  const { parents, targets, power = "running", covers = () => true } = options;
  const live = power === "running" || power === "paused";
  const checkpoints = parents.map((parent, index): RecordCheckpoint => {
    const disks = targets
      .filter((target) => covers(index, target))
      .map((target) => ({ target, granularity: 64 * KIB }));
    return {
      id: `cp${index}`,
      parentId: parent === null ? null : `cp${parent}`,
      createdAt: hour(index),
      sequence: index + 1,
      state: "active",
      origin: "driftline",
      disks,
      backup: "finished",
    };
  });
  const observation: Observation = {
    vmId: VM_UUID,
    name: "vm",
    power,
    persistent: true,
    runtimeId: live ? "run-1" : null,
    observedAt: hour(parents.length + 10),
    source: live ? "qmp" : "image",
    digest: "",
    countsDigest: "",
    checkpoints: { ok: true, value: checkpoints.map((item, index) => listed(item, index === parents.length - 1)) },
    disks: targets.map((target, index) => disk(target, String(100 + index), checkpoints, live)),
    job: { ok: true, value: { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null } },
  };
  return {
    record: {
      vmId: VM_UUID,
      revision: 1,
      checkpoints,
      disks: observation.disks.map(({ target, identity }) => ({
        target,
        identity: identity && { ...identity },
        identityHostId: HOST,
        firstSeenAt: hour(-1),
        retiredAt: null,
      })),
      acknowledged: [],
    },
    hostId: HOST,
    observation,
    samples: [],
    inFlight: [],
    activeElsewhere: [],
    provenMoves: [],
    runningBackup: null,
    jobLimitMs: 4 * 3_600_000,
  };
}

/** A straight chain of `count` checkpoints on the given disks. */
export function healthyLine(count: number, targets: string[] = ["vda"], power: Power = "running"): DriftInput {
  return healthyInput({ parents: lineParents(count), targets, power });
}

export function lineParents(count: number): (number | null)[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? null : index - 1));
}

function listed(item: RecordCheckpoint, current: boolean): HostCheckpoint {
  const disks = item.disks.map(({ target }) => ({ target, bitmap: item.id }));
  return { id: item.id, parentId: item.parentId, createdAt: item.createdAt, current, hasDisksElement: true, disks };
}

function disk(target: string, inode: string, checkpoints: RecordCheckpoint[], live: boolean): DiskObservation {
  const path = imagePath(target);
  const covering = checkpoints.filter((item) => item.disks.some((covered) => covered.target === target));
  const bitmaps = covering.map((item) =>
    healthyBitmap(item.id, live ? (checkpoints.length - item.sequence + 1) * 64 * KIB : null),
  );
  return {
    target,
    source: path,
    format: "qcow2",
    virtualSize: 10 * GIB,
    identity: { path, device: "253:1", inode, size: 10 * GIB },
    layers: { ok: true, value: [{ depth: 0, path, format: "qcow2", qcow2Compat: "1.1", bitmaps }] },
  };
}

export function healthyBitmap(name: string, dirtyBytes: number | null): LayerBitmap {
  return {
    name,
    recording: true,
    busy: false,
    persistent: true,
    inconsistent: false,
    dirtyBytes,
    granularity: 64 * KIB,
  };
}
