/** What of an observation may be believed. "Not read" is a typed error, never an empty list. */
import type { DiskLayer, DiskObservation, HostCheckpoint, Observation, ObserveError, Read } from "./model.ts";

/** The process exists, so that only QMP tells the truth about bitmaps. */
export function isLive(observation: Observation): boolean {
  return observation.power === "running" || observation.power === "paused";
}

const LYING_IMAGE: ObserveError = {
  code: "internal",
  message: "The VM runs, but its bitmaps were read from the image file, which lies while the VM runs.",
  hostMessage: null,
  retryable: true,
};

/** The layers of a disk as far as they are evidence: what an image file says of a running VM is none. */
export function readLayers(observation: Observation, disk: DiskObservation): Read<DiskLayer[]> {
  if (disk.layers.ok && isLive(observation) && observation.source === "image") return { ok: false, error: LYING_IMAGE };
  return disk.layers;
}

const ABSENT: ObserveError = {
  code: "domain-changed",
  message: "This host does not know the VM, so libvirt has no checkpoints of it here.",
  hostMessage: null,
  retryable: true,
};

/** libvirt's list. Of a VM that the host does not know it is not empty but unknown. */
export function readCheckpoints(observation: Observation): Read<HostCheckpoint[]> {
  if (observation.power === "absent") return { ok: false, error: ABSENT };
  return observation.checkpoints;
}

export type Unread = { disk: string | null; error: ObserveError };

/** Everything that this observation could not tell; empty when it is complete. `disk` null: libvirt's list, job or state. */
export function unreadOf(observation: Observation): Unread[] {
  const unread: Unread[] = [];
  const checkpoints = readCheckpoints(observation);
  if (!checkpoints.ok) unread.push({ disk: null, error: checkpoints.error });
  if (!observation.job.ok && observation.power !== "absent") unread.push({ disk: null, error: observation.job.error });
  if (observation.power === "unknown") {
    const message = "libvirt did not say whether the VM runs.";
    unread.push({ disk: null, error: { code: "internal", message, hostMessage: null, retryable: true } });
  }
  for (const disk of observation.disks) {
    const layers = readLayers(observation, disk);
    // An image that cannot be opened is a fact with a finding of its own.
    if (!layers.ok && layers.error.code !== "unreadable") unread.push({ disk: disk.target, error: layers.error });
  }
  return unread;
}
