/** Plans as values: what would be done, to what, at what cost. Pure types and the closed sets of their words. */
import type { DiskVerdict, Finding, ImageIdentity, Observation, VmRecord } from "../model.ts";

export const PLAN_INTENTS = ["redefine", "heal", "adopt", "prune", "remove", "backup", "repair-record"] as const;
export type PlanIntent = (typeof PLAN_INTENTS)[number];

/** `strict`: everything or nothing, whole checkpoints. `salvage`: what is healthy is kept, disk by disk. */
export const PLAN_MODES = ["strict", "salvage"] as const;
export type PlanMode = (typeof PLAN_MODES)[number];

/** `auto`: what the verdict of each disk allows. */
export const BACKUP_MODES = ["full", "incremental", "auto"] as const;
export type BackupMode = (typeof BACKUP_MODES)[number];

/** Which checkpoints go: all but the newest N of the current line, those made before a time, one and all its ancestors, or named ones. */
export type PruneRule = { keepLast: number } | { olderThan: string } | { upTo: string } | { ids: string[] };

export type BitmapName = { disk: string; bitmap: string };

/** What somebody wants. Everything that a plan depends on beside the witnesses and the policy. */
export type PlanRequest =
  | { intent: "redefine"; mode: PlanMode }
  /** `findings` null: every finding that offers heal. */
  | { intent: "heal"; mode: PlanMode; findings: string[] | null }
  | { intent: "adopt"; checkpointIds: string[] }
  | { intent: "prune"; rule: PruneRule }
  | { intent: "remove"; checkpointIds: string[]; bitmaps: BitmapName[] }
  /** `disks` null: all that are attached. `repository` null: the host's first. */
  | { intent: "backup"; mode: BackupMode; disks: string[] | null; repository: string | null }
  /** `links`: give checkpoints whose parent is not recorded or that form a circle a parent again. */
  | {
      intent: "repair-record";
      links: boolean;
      retireDisks: string[];
      acknowledge: string[];
      closeBackup: boolean;
      abortJob: boolean;
    };

export type CheckpointDefinition = { id: string; parentId: string | null; createdAt: string; disks: string[] };

/**
 * What the engine executes, in order. Each is idempotent: done again after a crash it finds what is done and goes on.
 * `host.*` asks the agent, `record.*` is one transaction of the database.
 */
export type PlanAction =
  /** The agent's bulk redefine with the complete list, parents first. */
  | { verb: "host.redefine"; mode: PlanMode; checkpoints: CheckpointDefinition[] }
  /**
   * With their bitmaps of the same name, leaf to root. A definition that names no disk, other disks or other bitmaps is
   * replaced first: libvirt deletes the bitmap that the definition names, whoever owns it.
   */
  | { verb: "host.delete-checkpoints"; ids: string[] }
  | { verb: "host.delete-bitmaps"; items: BitmapName[] }
  | { verb: "host.abort-job" }
  /**
   * Push-mode backup with its checkpoint: inserts the record as `creating`, begins, waits, makes it `active` or takes
   * everything back. `fallback`: a disk whose base turns out broken at begin is taken in full. A disk that cannot hold
   * bitmaps is taken in full and is not in the checkpoint; with none in it no checkpoint is made, on the host or in the
   * record.
   */
  | {
      verb: "host.backup";
      checkpointId: string;
      parentId: string | null;
      disks: { target: string; mode: "full" | "incremental"; base: string | null; inCheckpoint: boolean }[];
      repository: string | null;
      fallback: boolean;
    }
  /** `active` → `deleting`: from here on they are no base, whatever happens. */
  | { verb: "record.mark-deleting"; ids: string[] }
  /** Rows go; children are linked to the parent. */
  | { verb: "record.delete"; ids: string[] }
  /** A checkpoint stops covering a disk. */
  | { verb: "record.drop-disks"; items: { checkpointId: string; disk: string }[] }
  /** In the order of age among the recorded ones: sequences stay parents first, later ones move up. */
  | { verb: "record.adopt"; checkpoints: CheckpointDefinition[] }
  | { verb: "record.relink"; items: { checkpointId: string; parentId: string | null }[] }
  /**
   * The image that the plan saw is the disk's image from here on; its counts start anew. `seen`: which that was, and on
   * which host; another one that stands there by then is not taken. Absent in plans that were stored before it was noted.
   */
  | {
      verb: "record.accept-images";
      disks: string[];
      seen?: { hostId: string; images: { target: string; identity: ImageIdentity | null }[] };
    }
  | { verb: "record.retire-disks"; disks: string[] }
  | { verb: "record.acknowledge"; findingIds: string[] }
  /** A backup recorded as running that libvirt does not know is ended as failed. */
  | { verb: "record.close-backup" }
  /** Observe again: the last action of every plan. */
  | { verb: "prove" };
export type PlanVerb = PlanAction["verb"];

/** One line of a plan: one call on one subject. Several lines may belong to one action. */
/** Where a step acts: on the host, in our database, or nowhere, because it only reads. */
export const STEP_PLACES = ["host", "record", "read"] as const;
export type StepPlace = (typeof STEP_PLACES)[number];
/** Where the actions of a verb act. */
export const placeOf = (verb: string): StepPlace =>
  verb.startsWith("host.") ? "host" : verb.startsWith("record.") ? "record" : "read";

export type PlanStep = {
  n: number;
  /** Index in `actions`. */
  action: number;
  verb: PlanVerb;
  /** In words: "checkpoint cp3", "bitmap cp1 on vda". */
  subject: string;
  /** The libvirt, QMP, qemu-img or SQL call with its flags, as it will be made. */
  call: string;
  /** Absent in plans that were stored before it was written down. */
  place?: StepPlace;
  /** Can be undone without losing anything (metadata can be defined again, a bitmap cannot be made again). */
  reversible: boolean;
  checkpointIds: string[];
  disks: string[];
};

/** 0 reads · 1 metadata that can be rebuilt · 2 loses increments · 3 loses a chain, a last base, or touches many VMs. */
export type PlanTier = 0 | 1 | 2 | 3;

/**
 * What is gone for good afterwards; each must be ticked before a plan of tier 2 or 3 is applied. `id` is stable within
 * the plan. `bases`: the healthy bases that it is about.
 */
export type PlanLoss = { id: string; text: string; bases?: BitmapName[] };

/** What the next backup of a disk can be now and after the plan. */
export type PlanCost = { disk: string; now: DiskVerdict; after: DiskVerdict };

export type PlanCounts = {
  define: number;
  replace: number;
  deleteCheckpoints: number;
  deleteBitmaps: number;
  recordChanges: number;
  fullDisks: number;
  incrementalDisks: number;
};

export type PlanBasis = {
  recordRevision: number;
  observationDigest: string;
  observedAt: string;
  hostId: string;
  runtimeId: string | null;
};

export type Plan = {
  request: PlanRequest;
  tier: PlanTier;
  basis: PlanBasis;
  /** In words, the most important first. */
  consequences: string[];
  losses: PlanLoss[];
  costs: PlanCost[];
  counts: PlanCounts;
  actions: PlanAction[];
  steps: PlanStep[];
  /** Ids of the findings that are gone when every step is done. */
  promises: string[];
  /** Ids of the findings that are there then and are not there now: foreseen, and no failure of the plan. */
  appears: string[];
  /** What must be typed to apply it (the VM's name, tier 3), or null. */
  confirm: string | null;
  /** The least role that may apply it. */
  role: "support" | "operator";
};

export type PlanPolicy = {
  /** Raises tiers; it can never lower one. */
  leastTier: Partial<Record<PlanIntent, PlanTier>>;
  /** What a backup wrote is read back before it counts as finished. Absent: it is not. */
  digestBackups?: boolean;
};

export type PlanInput = {
  vmName: string;
  hostId: string;
  record: VmRecord;
  observation: Observation;
  findings: readonly Finding[];
  request: PlanRequest;
  policy: PlanPolicy;
  /** Name of the checkpoint that a backup makes. */
  newCheckpointId: string;
  /** Restore points in a repository that an increment can be put on: `checkpointId|disk`. */
  restorePoints: ReadonlySet<string>;
  /** As in `DriftInput`: while the VM runs there, what this host says of it is no basis for any change. */
  activeElsewhere?: readonly { hostId: string; hostName: string }[];
};

/** Why there is no plan. `field` is a path into the request, null when the VM's state is the reason. */
export type PlanRefusal = { field: string | null; code: PlanRefusalCode; reason: string };
const PLAN_REFUSAL_CODES = [
  "nothing-to-do",
  "not-found",
  "not-offered",
  "cannot-tell",
  "two-hosts",
  "record-broken",
  "foreign",
  "in-use",
  "not-running",
  "job-running",
  "no-base",
  "disk-unreadable",
  "unhealthy",
] as const;
export type PlanRefusalCode = (typeof PLAN_REFUSAL_CODES)[number];

export type PlanResult = { ok: true; plan: Plan } | { ok: false; refusals: PlanRefusal[] };
