/** Proofs that one read gave and the next cannot repeat: they stand until a read can judge them again. */
import { viewBitmaps } from "../bitmaps.ts";
import type { Finding, Observation } from "../model.ts";
import { isLive, readLayers } from "../trust.ts";

export type CarryInput = {
  /** What stood before this observation. */
  previous: readonly Finding[];
  /** What `findDrift` says of it. */
  current: readonly Finding[];
  observation: Observation;
  record: { checkpoints: readonly { id: string }[] };
};

/**
 * Adds those earlier `bitmap.rewound` that this observation could neither repeat nor refute: a stopped VM's image
 * carries no counts, a busy bitmap's count stands still, a locked image says nothing. Without this a chain that is
 * known to be wrong would look right as soon as the VM stops. Dropped when the checkpoint is no longer recorded, the
 * bitmap is gone or broken (its own finding speaks), the image was replaced, or a recording count was read.
 */
export function carryProofs({ previous, current, observation, record }: CarryInput): Finding[] {
  const known = new Set(current.map(({ id }) => id));
  const recorded = new Set(record.checkpoints.map(({ id }) => id));
  const spoken = new Set(current.filter(({ kind }) => kind.startsWith("disk.")).map(({ subject }) => subject.disk));
  const carried = previous.filter((finding) => {
    const { checkpointId, disk } = finding.subject;
    if (finding.kind !== "bitmap.rewound" || known.has(finding.id)) return false;
    if (checkpointId === null || disk === null || !recorded.has(checkpointId) || spoken.has(disk)) return false;
    return !couldJudge(observation, disk, checkpointId);
  });
  return [...current, ...carried];
}

function couldJudge(observation: Observation, target: string, name: string): boolean {
  const disk = observation.disks.find((candidate) => candidate.target === target);
  // Detached for now: what comes back may be the same image.
  if (!disk) return false;
  const layers = readLayers(observation, disk);
  if (!layers.ok) return false;
  const bitmap = viewBitmaps(target, layers.value).get(name);
  if (!bitmap || (bitmap.state !== "recording" && bitmap.state !== "busy")) return true;
  return isLive(observation) && bitmap.state === "recording" && bitmap.dirtyBytes !== null;
}
