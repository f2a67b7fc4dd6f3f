/** The validation over the complete set that libvirt lacks: missing, broken and unknown, all of them, changing nothing. */
import { findDrift } from "./findings/index.ts";
import type {
  BackupState,
  DriftInput,
  Finding,
  FindingKind,
  InFlight,
  Observation,
  RecordState,
  VmRecord,
} from "./model.ts";
import { orderCheckpoints } from "./order.ts";
import { type Unread, unreadOf } from "./trust.ts";

export type ValidateInput = {
  checkpoints: readonly {
    id: string;
    parentId: string | null;
    createdAt: string;
    /** With the granularity that its bitmap was made with, where that is known. */
    disks: readonly { target: string; granularity?: number | null | undefined }[];
    /** Absent: active. */
    state?: RecordState;
    /** Absent: somebody else made it, or its backup finished. */
    backup?: BackupState;
  }[];
  observation: Observation;
  /** Disks that nobody expects any more. */
  retiredDisks?: readonly string[];
  /** What is being changed while the set is looked at: no fault. */
  inFlight?: readonly InFlight[];
  runningBackup?: DriftInput["runningBackup"];
};
export type ValidateResult = {
  /** null: no fault was found, but not everything could be read. */
  valid: boolean | null;
  findings: Finding[];
  unknown: Unread[];
};

/** True of the disk, but no fault of the set, unless it weighs as a loss. */
const NO_FAULT: ReadonlySet<FindingKind> = new Set<FindingKind>([
  "disk.unsupported",
  "bitmap.granularity-differs",
  "backup.stuck",
]);
const isFault = ({ kind, severity }: Finding): boolean => severity === "loss" || !NO_FAULT.has(kind);

/** What only somebody with a history can tell: an older image, another image, a bitmap made anew look whole by themselves. */
const TOLD_BY_HISTORY: ReadonlySet<FindingKind> = new Set<FindingKind>([
  "bitmap.rewound",
  "bitmap.granularity-differs",
  "disk.replaced",
]);

/**
 * Compares the set with libvirt's list and the bitmaps as they are now. It has no history: image identities and
 * falling counts are not judged, only counts that contradict each other. Whoever has one adds it (`withHistory`).
 */
export function validateSet(input: ValidateInput): ValidateResult {
  const { checkpoints, observation, inFlight = [], runningBackup = null } = input;
  const retired = new Set(input.retiredDisks);
  const targets = new Set([...observation.disks.map(({ target }) => target), ...retired]);
  const ordered = orderCheckpoints(checkpoints).ordered;
  const record: VmRecord = {
    vmId: observation.vmId,
    revision: 0,
    checkpoints: ordered.map((item, sequence) => ({
      id: item.id,
      parentId: item.parentId,
      createdAt: item.createdAt,
      sequence,
      state: item.state ?? "active",
      origin: "registered",
      disks: item.disks.map(({ target, granularity = null }) => ({ target, granularity })),
      backup: item.backup ?? null,
    })),
    // As if always known: a set says nothing about when a disk came.
    disks: [...targets].map((target) => ({
      target,
      identity: null,
      identityHostId: null,
      firstSeenAt: new Date(0).toISOString(),
      retiredAt: retired.has(target) ? new Date(0).toISOString() : null,
    })),
    acknowledged: [],
  };
  const findings = findDrift({
    record,
    hostId: "",
    observation,
    samples: [],
    inFlight: [...inFlight],
    activeElsewhere: [],
    provenMoves: [],
    runningBackup,
    jobLimitMs: Number.POSITIVE_INFINITY,
  });
  const unknown = unreadOf(observation);
  return answerOf(findings, unknown);
}

/** The answer of `validateSet`, and what a complete judgement of the same VM (`standing`) holds against the set beyond it. */
export function withHistory({ findings, unknown }: ValidateResult, standing: readonly Finding[]): ValidateResult {
  const named = new Set(findings.map(({ id }) => id));
  const told = standing.filter(
    ({ id, kind, severity, acknowledged }) =>
      TOLD_BY_HISTORY.has(kind) && severity === "loss" && !acknowledged && !named.has(id),
  );
  return answerOf([...told, ...findings], unknown);
}

function answerOf(findings: Finding[], unknown: Unread[]): ValidateResult {
  return { valid: findings.some(isFault) ? false : unknown.length > 0 ? null : true, findings, unknown };
}
