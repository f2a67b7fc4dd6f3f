/**
 * What the drawing needs to know of a chain. Close to the engine's `chain` answer and fed with it as it is, but
 * declared here: drawing maths knows no API.
 */
import type { BackupState, DiskBitmap, FindingKind, Power, RecordState, Severity } from "#chain/model.ts";

export type GraphCheckpoint = {
  id: string;
  parentId: string | null;
  createdAt: string;
  state: RecordState;
  disks: string[];
  backup: BackupState | null;
};

export type GraphFinding = {
  id: string;
  kind: FindingKind;
  severity: Severity;
  subject: { checkpointId: string | null; disk: string | null; bitmap: string | null };
  reason: string | null;
  acknowledged: boolean;
};

export type GraphDisk = {
  target: string;
  source: string | null;
  format: string;
  virtualSize: number | null;
  /** null: not read, which is not "none". */
  bitmaps: DiskBitmap[] | null;
};

export type GraphChain = {
  vm: { power: Power };
  record: { checkpoints: GraphCheckpoint[] };
  host: {
    status: "observed" | "failed" | "never";
    /** null: not read. */
    checkpoints:
      | { id: string; parentId: string | null; createdAt: string; disks: { target: string; bitmap: string }[] }[]
      | null;
    disks: GraphDisk[];
  };
  findings: GraphFinding[];
};

/** How the two halves of a node stand to each other. */
export const MATCHES = ["both", "record-only", "host-only", "differs", "unknown"] as const;
export type Match = (typeof MATCHES)[number];

/** One checkpoint, whoever knows it: ready to draw. */
export type GraphNode = {
  id: string;
  parentId: string | null;
  createdAt: string;
  match: Match;
  /** null: not recorded. */
  record: { state: RecordState; backup: BackupState | null } | null;
  /** `null` where libvirt's list was not read. */
  listed: boolean | null;
  /** Targets that it covers, by either witness, sorted. */
  disks: string[];
  findings: GraphFinding[];
  /** Of the findings that nobody accepted. */
  worst: Severity | null;
  /** On the line from the root to the newest recorded checkpoint. */
  current: boolean;
  newest: boolean;
};
