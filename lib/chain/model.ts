/**
 * The shapes of the three witnesses. Pure types: nothing here does anything.
 *
 * Times are ISO 8601 UTC strings, sizes and counts are bytes as safe integers, VM ids are libvirt UUIDs in
 * lower case, a checkpoint's id is its libvirt name and the name of its bitmap on every disk that it covers.
 */

/** What libvirt says of the process. `absent`: this host does not know the domain. */
export const POWERS = ["running", "paused", "shut-off", "absent", "unknown"] as const;
export type Power = (typeof POWERS)[number];

/**
 * Why a read gave no answer. Every one of them means "cannot tell", never "none", except `unreadable`:
 * that one is a fact about the image (it is not a qcow2 that QEMU would open) and becomes `disk.unreadable`.
 */
export const OBSERVE_ERROR_CODES = [
  "agent-unreachable",
  "agent-refused",
  "libvirt-unreachable",
  "permission-denied",
  "image-locked",
  "image-missing",
  "unreadable",
  "qmp-forbidden",
  "qmp-failed",
  "timeout",
  "lock-held",
  "domain-changed",
  "tool-missing",
  "unsupported-source",
  "internal",
] as const;
export type ObserveErrorCode = (typeof OBSERVE_ERROR_CODES)[number];

export type ObserveError = {
  code: ObserveErrorCode;
  /** Our explanation, one sentence. */
  message: string;
  /** The host's own words, unchanged (libvirt, QEMU or qemu-img), or null when nobody answered. */
  hostMessage: string | null;
  retryable: boolean;
};

/** A read that worked, or one that did not. There is no third, empty case. */
export type Read<T> = { ok: true; value: T } | { ok: false; error: ObserveError };

// ------------------------------------------------------------------ what a host says

/** One checkpoint as libvirt lists it. `disks` holds only those with checkpoint='bitmap'. */
export type HostCheckpoint = {
  id: string;
  parentId: string | null;
  createdAt: string;
  /** libvirt's own "current" mark. */
  current: boolean;
  /** False: the definition has no disks element at all; libvirt then validates it without looking at any bitmap. */
  hasDisksElement: boolean;
  disks: { target: string; bitmap: string }[];
};

/** One dirty bitmap in one layer, in QEMU's own words. Cold reads leave `dirtyBytes` null: the file does not say. */
export type LayerBitmap = {
  name: string;
  recording: boolean;
  busy: boolean;
  persistent: boolean;
  /** Live: QEMU's `inconsistent`. Cold: the flag `in-use` (nobody has the image open, else the read fails as locked). */
  inconsistent: boolean;
  dirtyBytes: number | null;
  granularity: number;
};

/** One image of a disk's backing chain. `depth` 0 is the active layer. */
export type DiskLayer = {
  depth: number;
  path: string;
  format: string;
  /** qcow2 only: "0.10" cannot hold persistent bitmaps, "1.1" can. */
  qcow2Compat: string | null;
  bitmaps: LayerBitmap[];
};

/** Tells one image from another. `device` differs between hosts for the same shared file; `inode` may not. */
export type ImageIdentity = {
  path: string;
  device: string | null;
  inode: string | null;
  /** Virtual size in bytes (the file's own size changes with every write). */
  size: number | null;
};

export type DiskObservation = {
  target: string;
  source: string | null;
  format: string;
  virtualSize: number | null;
  identity: ImageIdentity | null;
  /** Backing chain, active layer first. Failed: see the code; `unreadable` is a fact, the others are "cannot tell". */
  layers: Read<DiskLayer[]>;
};

/**
 * What libvirt says of the job on a domain at this moment. `lost-backup`: libvirt was killed as a backup began; it still
 * holds the domain for it, and knows nothing of it any more. No backup runs, none can begin, everything else can.
 */
export type HostJob = {
  operation: "none" | "backup" | "lost-backup" | "migration" | "snapshot" | "save" | "dump" | "other";
  elapsedMs: number;
  doneBytes: number | null;
  totalBytes: number | null;
};

/** One complete read of one VM on one host. */
export type Observation = {
  vmId: string;
  name: string;
  power: Power;
  persistent: boolean;
  /** Differs between two runs of the same domain; null while it does not run. */
  runtimeId: string | null;
  observedAt: string;
  /** Where the bitmaps were read. */
  source: "qmp" | "image";
  /** SHA-256 hex over everything below except counters that move while nothing is wrong (dirty bytes, job progress). */
  digest: string;
  /** SHA-256 hex over the dirty counts alone: they move while nothing is wrong, and a fall of them is a rewind. */
  countsDigest: string;
  checkpoints: Read<HostCheckpoint[]>;
  /** Writable disks only (device='disk', no <readonly/>, not a floppy or CD-ROM). */
  disks: DiskObservation[];
  job: Read<HostJob>;
};

/** An observation, or the reason that there is none. `at` is when it was tried. */
export type Observed = { at: string; value: Observation } | { at: string; failed: ObserveError };

// ------------------------------------------------------------------ what the database says

export const RECORD_STATES = ["creating", "active", "deleting"] as const;
export type RecordState = (typeof RECORD_STATES)[number];
export const RECORD_ORIGINS = ["driftline", "adopted", "registered"] as const;
export type RecordOrigin = (typeof RECORD_ORIGINS)[number];
export const BACKUP_STATES = ["running", "finished", "failed", "aborted"] as const;
export type BackupState = (typeof BACKUP_STATES)[number];

export type RecordCheckpoint = {
  id: string;
  parentId: string | null;
  createdAt: string;
  /** Strictly increasing in the order in which the VM's checkpoints were recorded. */
  sequence: number;
  state: RecordState;
  origin: RecordOrigin;
  /** Targets that it covers, with the bitmap granularity where it is known. */
  disks: { target: string; granularity: number | null }[];
  /** State of the backup that made it; null when somebody else made it (registered, adopted): taken as finished. */
  backup: BackupState | null;
};

/** A disk as the record knows it: the last identity that was proven or acknowledged. */
export type RecordDisk = {
  target: string;
  identity: ImageIdentity | null;
  /** Host on which that identity was read: device numbers compare only there. */
  identityHostId: string | null;
  firstSeenAt: string;
  /** Set when the disk was retired: nobody expects it any more. */
  retiredAt: string | null;
};

export type VmRecord = {
  vmId: string;
  revision: number;
  checkpoints: RecordCheckpoint[];
  disks: RecordDisk[];
  /** Findings that a person accepted, by finding id. */
  acknowledged: string[];
};

/** A bitmap's count in one layer, as an otherwise unchanged observation reports it. */
export type DirtyCount = {
  target: string;
  bitmap: string;
  layerPath: string;
  dirtyBytes: number;
  granularity: number;
};

/** One point of the time series. Only samples of a live read carry a count. */
export type DirtySample = DirtyCount & { at: string; runtimeId: string | null };

/** A job of ours that is changing the VM now: what it names is in flight, not drift. */
export type InFlight = {
  kind: "redefine" | "heal" | "adopt" | "prune" | "remove" | "backup" | "repair-record";
  startedAt: string;
  checkpointIds: string[];
  disks: string[];
};

/** Everything that `findDrift` looks at. Nothing else may influence its answer. */
export type DriftInput = {
  record: VmRecord;
  /** Host of the observation. */
  hostId: string;
  observation: Observation;
  /** Highest trustworthy counts seen before this observation, one per (target, bitmap, layer). */
  samples: DirtySample[];
  inFlight: InFlight[];
  /** Other hosts on which the same UUID was seen running or paused, and when. */
  activeElsewhere: { hostId: string; hostName: string; observedAt: string }[];
  /** Disks whose image may have moved with proof (their own block job, or a migration, seen while the VM ran). */
  provenMoves: string[];
  /** The recorded backup that has not ended, if any. */
  runningBackup: { checkpointId: string | null; startedAt: string } | null;
  /** How long a job may hold the domain before it counts as stuck. */
  jobLimitMs: number;
};

// ------------------------------------------------------------------ what follows

export const FINDING_KINDS = [
  "metadata.missing",
  "metadata.unknown",
  "metadata.parent-differs",
  "metadata.disks-differ",
  "metadata.bitmap-name-differs",
  "bitmap.missing",
  "bitmap.inconsistent",
  "bitmap.not-recording",
  "bitmap.not-persistent",
  "bitmap.gap",
  "bitmap.unknown",
  "bitmap.rewound",
  "bitmap.granularity-differs",
  "disk.added",
  "disk.gone",
  "disk.replaced",
  "disk.unsupported",
  "disk.unreadable",
  "checkpoint.unfinished",
  "record.missing-parent",
  "record.cycle",
  "vm.two-hosts",
  "backup.stuck",
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** Worst first. */
export const SEVERITIES = ["loss", "block", "full", "waste", "note"] as const;
export type Severity = (typeof SEVERITIES)[number];

export const REMEDIES = [
  "redefine",
  "adopt",
  "remove",
  "heal",
  "remove-bitmap",
  "acknowledge",
  "full-backup",
  "retire",
  "repair-record",
  "abort",
  "close",
  "explain",
] as const;
export type Remedy = (typeof REMEDIES)[number];

export type FindingSubject = { checkpointId: string | null; disk: string | null; bitmap: string | null };

/** What one witness says of the subject, in one phrase, and where that comes from. null: it was not asked. */
export type FindingEvidence = {
  record: string | null;
  metadata: string | null;
  bitmap: string | null;
  /**
   * When and where that was read. Absent: in the observation that was judged. Of a finding that stands because what it
   * was seen in could not be read again, the last read that showed it.
   */
  observedAt?: string | null | undefined;
  source?: Observation["source"] | null | undefined;
};

export type Finding = {
  /** Stable over time and hosts: the same defect has the same id. `kind|checkpoint|disk|bitmap`, absent parts empty. */
  id: string;
  kind: FindingKind;
  severity: Severity;
  subject: FindingSubject;
  /** Short machine word that types the cause, for instance `never-flushed` or `removed`; null where the kind says it all. */
  reason: string | null;
  evidence: FindingEvidence;
  explanation: string;
  consequence: string;
  remedies: Remedy[];
  /** Likely owner of an unknown checkpoint or bitmap, for instance `virtnbdbackup`. */
  owner: string | null;
  acknowledged: boolean;
};

export const VERDICTS = ["incremental", "full", "blocked", "unknown"] as const;
export type VerdictWord = (typeof VERDICTS)[number];

export type DiskVerdict = {
  disk: string;
  verdict: VerdictWord;
  /** Base checkpoint of an incremental. */
  from: string | null;
  estimatedBytes: number | null;
  reason: string | null;
};

export const AGREEMENTS = ["agrees", "differs", "unknown", "checking"] as const;
export type Agreement = (typeof AGREEMENTS)[number];
export const NEXT_BACKUPS = ["incremental", "mixed", "full", "blocked", "unknown"] as const;
export type NextBackup = (typeof NEXT_BACKUPS)[number];
export const FRESHNESSES = ["fresh", "ageing", "stale", "offline"] as const;
export type Freshness = (typeof FRESHNESSES)[number];

/** One bitmap of one disk over all its layers: the state that the matrix shows. */
export const BITMAP_STATES = ["recording", "busy", "inconsistent", "not-recording", "not-persistent", "gap"] as const;
export type BitmapState = (typeof BITMAP_STATES)[number];
export type DiskBitmap = {
  name: string;
  state: BitmapState;
  /** Sum over the layers, null when no layer told. */
  dirtyBytes: number | null;
  granularity: number;
  /** Path of the uppermost layer that holds it. */
  layer: string;
};
