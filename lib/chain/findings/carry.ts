/** Proofs that one read gave and the next cannot take back: they stand until the bitmap itself has gone. */
import { type BitmapViews, bitmapViews } from "../bitmap-views.ts";
import { type Finding, type Observation, SEVERITIES } from "../model.ts";

export type CarryInput = {
  /** What stood before this observation. */
  previous: readonly Finding[];
  /** What `findDrift` says of it. */
  current: readonly Finding[];
  observation: Observation;
  record: { checkpoints: readonly { id: string; disks: readonly { target: string }[] }[] };
};

/**
 * Adds those earlier `bitmap.rewound` that still hold, worst first. A rewound bitmap goes on recording, so that its
 * count passes the old one some day and then looks right; a stopped VM's image carries no counts at all; a locked one
 * says nothing. The interval stays lost all the same. It ends when the checkpoint no longer counts on that disk, when
 * the bitmap is seen to be gone or broken (its own finding speaks), or when the image is seen to be another one.
 */
export function carryProofs({ previous, current, observation, record }: CarryInput): Finding[] {
  const known = new Set(current.map(({ id }) => id));
  const covered = new Set(record.checkpoints.flatMap(({ id, disks }) => disks.map(({ target }) => `${target}\n${id}`)));
  const another = new Set(
    current
      .filter(({ kind }) => kind === "disk.replaced" || kind === "disk.unsupported")
      .map(({ subject }) => subject.disk),
  );
  const views = bitmapViews(observation);
  const carried = previous.filter((finding) => {
    const { checkpointId, disk } = finding.subject;
    if (finding.kind !== "bitmap.rewound" || known.has(finding.id)) return false;
    if (checkpointId === null || disk === null || another.has(disk)) return false;
    return covered.has(`${disk}\n${checkpointId}`) && !isOver(views, disk, checkpointId);
  });
  if (carried.length === 0) return [...current];
  const weight = (finding: Finding) => SEVERITIES.indexOf(finding.severity);
  return [...current, ...carried].sort((a, b) => weight(a) - weight(b));
}

/** Was it read that the bitmap is no longer there, or no longer whole? A disk that is detached may come back. */
function isOver(views: BitmapViews, target: string, name: string): boolean {
  const bitmaps = views(target);
  if (bitmaps === null) return false;
  const state = bitmaps.get(name)?.state;
  return state !== "recording" && state !== "busy";
}
