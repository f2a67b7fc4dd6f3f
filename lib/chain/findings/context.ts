/** What every witness group looks at, computed once for a VM so that the whole comparison stays linear. */
import { type BitmapView, viewBitmaps } from "../bitmaps.ts";
import type {
  DiskLayer,
  DiskObservation,
  DriftInput,
  HostCheckpoint,
  Read,
  RecordCheckpoint,
  RecordDisk,
} from "../model.ts";
import { type OrderResult, orderCheckpoints } from "../order.ts";
import { byId } from "../tree.ts";
import { isLive, readCheckpoints, readLayers } from "../trust.ts";
import { type Replacement, replacementOf } from "./replaced.ts";
import { unsupportedReason } from "./unsupported.ts";

export type DiskContext = {
  observed: DiskObservation;
  recorded: RecordDisk | null;
  layers: Read<DiskLayer[]>;
  replaced: Replacement | null;
  unsupported: string | null;
  /** As they were read, by name; null: not read. */
  seen: ReadonlyMap<string, BitmapView> | null;
  /** The same, null also when they may not be judged: a disk.* finding says all there is to say. */
  bitmaps: ReadonlyMap<string, BitmapView> | null;
};

export type DriftContext = {
  input: DriftInput;
  live: boolean;
  absent: boolean;
  order: OrderResult<RecordCheckpoint>;
  record: ReadonlyMap<string, RecordCheckpoint>;
  /** Active ones that no job of ours is changing and whose backup did not fail: the host must show them whole. */
  settled: RecordCheckpoint[];
  host: Read<ReadonlyMap<string, HostCheckpoint>>;
  disks: ReadonlyMap<string, DiskContext>;
  retired: ReadonlySet<string>;
  /** Checkpoints that a job of ours, or the recorded backup while libvirt runs it, is changing now. */
  inFlight: ReadonlySet<string>;
};

export function driftContext(input: DriftInput): DriftContext {
  const { record, observation } = input;
  const order = orderCheckpoints(record.checkpoints);
  const inFlight = namedInFlight(input);
  const read = readCheckpoints(observation);
  const recordDisks = new Map(record.disks.map((disk) => [disk.target, disk]));
  return {
    input,
    live: isLive(observation),
    absent: observation.power === "absent",
    order,
    record: byId(record.checkpoints),
    settled: order.ordered.filter((item) => isSettled(item) && !inFlight.has(item.id)),
    host: read.ok ? { ok: true, value: byId(read.value) } : read,
    disks: new Map(observation.disks.map((disk) => [disk.target, diskContext(input, disk, recordDisks)])),
    retired: new Set(record.disks.filter((disk) => disk.retiredAt !== null).map((disk) => disk.target)),
    inFlight,
  };
}

/** The record says that it is there and usable, or that its backup still runs. */
function isSettled(item: RecordCheckpoint): boolean {
  return item.state === "active" && item.backup !== "failed" && item.backup !== "aborted";
}

function diskContext(
  input: DriftInput,
  observed: DiskObservation,
  recordDisks: ReadonlyMap<string, RecordDisk>,
): DiskContext {
  const layers = readLayers(input.observation, observed);
  const recorded = recordDisks.get(observed.target) ?? null;
  const unsupported = unsupportedReason(observed, layers);
  const replaced = replacementOf(input, observed, recorded, layers);
  const speaks = unsupported !== null || (replaced !== null && !replaced.acknowledged);
  const seen = layers.ok ? viewBitmaps(observed.target, layers.value) : null;
  return {
    observed,
    recorded,
    layers,
    replaced,
    unsupported,
    seen,
    bitmaps: speaks ? null : seen,
  };
}

function namedInFlight(input: DriftInput): Set<string> {
  const named = new Set(input.inFlight.flatMap((job) => job.checkpointIds));
  const { runningBackup, observation } = input;
  if (!runningBackup?.checkpointId) return named;
  const runs = observation.job.ok && observation.job.value.operation === "backup";
  // A backup that began after this read could not be seen by it.
  const later = Date.parse(runningBackup.startedAt) > Date.parse(observation.observedAt);
  if (runs || later) named.add(runningBackup.checkpointId);
  return named;
}
