/** The validation over the complete set that libvirt lacks: missing, broken and unknown, all of them, changing nothing. */
import { findDrift } from "./findings/index.ts";
import type { Finding, FindingKind, Observation, VmRecord } from "./model.ts";
import { orderCheckpoints } from "./order.ts";
import { type Unread, unreadOf } from "./trust.ts";

export type ValidateInput = {
  checkpoints: readonly {
    id: string;
    parentId: string | null;
    createdAt: string;
    disks: readonly { target: string }[];
  }[];
  observation: Observation;
};
export type ValidateResult = {
  /** null: no fault was found, but not everything could be read. */
  valid: boolean | null;
  findings: Finding[];
  unknown: Unread[];
};

/** True of the disk, but no fault of the set. */
const NO_FAULT: ReadonlySet<FindingKind> = new Set<FindingKind>([
  "disk.unsupported",
  "bitmap.granularity-differs",
  "backup.stuck",
]);

/**
 * Compares the set with libvirt's list and the bitmaps as they are now. It has no history: image identities and
 * falling counts are not judged, only counts that contradict each other.
 */
export function validateSet({ checkpoints, observation }: ValidateInput): ValidateResult {
  const ordered = orderCheckpoints(checkpoints).ordered;
  const record: VmRecord = {
    vmId: observation.vmId,
    revision: 0,
    checkpoints: ordered.map((item, sequence) => ({
      id: item.id,
      parentId: item.parentId,
      createdAt: item.createdAt,
      sequence,
      state: "active",
      origin: "registered",
      disks: item.disks.map(({ target }) => ({ target, granularity: null })),
      backup: null,
    })),
    // As if always known: a set says nothing about when a disk came.
    disks: observation.disks.map(({ target }) => ({
      target,
      identity: null,
      identityHostId: null,
      firstSeenAt: new Date(0).toISOString(),
      retiredAt: null,
    })),
    acknowledged: [],
  };
  const findings = findDrift({
    record,
    hostId: "",
    observation,
    samples: [],
    inFlight: [],
    activeElsewhere: [],
    provenMoves: [],
    runningBackup: null,
    jobLimitMs: Number.POSITIVE_INFINITY,
  });
  const unknown = unreadOf(observation);
  const faulty = findings.some(({ kind }) => !NO_FAULT.has(kind));
  return { valid: faulty ? false : unknown.length > 0 ? null : true, findings, unknown };
}
