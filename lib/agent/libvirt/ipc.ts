/** What the agent and its libvirt children say to each other. JSON only. */
import type { DiskLayer, HostCheckpoint, HostJob, ImageIdentity, ObserveError, Power, Read } from "#chain/model.ts";
import type { HostEvent } from "#contract/agent.ts";
import type { HostError } from "#contract/agent-operations.ts";
import type { EndedJob } from "../backups/outcome.ts";
import type { Change, ChangeOutcome } from "../operations/host-steps.ts";
import type { WriterState } from "./locks.ts";

/** How a disk's source is held; only files and block devices can be read. */
export type DiskSource = {
  target: string;
  /** "file", "block", "network" … as libvirt names it. */
  type: string;
  /** Path for file and block; `protocol:name` for network, to show; null when there is none. */
  source: string | null;
  /** libvirt's driver type: "qcow2", "raw" …; "raw" where the definition does not say. */
  format: string;
};

export type InspectedDisk = DiskSource & {
  identity: Omit<ImageIdentity, "size"> | null;
  /** null: the domain does not run and the image has to be asked. */
  live: Read<{ layers: DiskLayer[]; virtualSize: number | null }> | null;
};

export type Inspection = {
  vmId: string;
  name: string;
  power: Power;
  persistent: boolean;
  runtimeId: string | null;
  checkpoints: Read<HostCheckpoint[]>;
  disks: InspectedDisk[];
  job: Read<HostJob>;
};

export type ListedDomain = {
  vmId: string;
  name: string;
  power: Power;
  persistent: boolean;
  runtimeId: string | null;
  disks: { target: string; source: string | null; format: string }[];
};

/** A backup job as libvirt formats it. `file`: the target of a push job, the scratch file of a pull job. */
export type RunningBackup = {
  isPush: boolean;
  disks: { target: string; mode: "full" | "incremental"; file: string | null }[];
};

export type BackupLook = {
  isRunning: boolean;
  runtimeId: string | null;
  /** null: none. */
  job: HostJob | null;
  backup: RunningBackup | null;
  /** How many of that backup's disks have a block job as libvirt knows it; null: not known. */
  blockJobs: number | null;
  /** The last job that ended on this domain, whoever began it. */
  completed: EndedJob | null;
  hasCheckpoint: boolean;
  /** Somebody still writes into one of the files that were asked about; seen before the rest, the run of the domain too. */
  isHeld: boolean;
};

/** Operations of a call child, with their answers. */
export type CallOps = {
  versions: { input: Record<string, never>; output: { libvirt: string; qemu: string | null } };
  list: { input: Record<string, never>; output: ListedDomain[] };
  ids: { input: Record<string, never>; output: string[] };
  /** null: libvirt knows no such domain. */
  inspect: { input: { vmId: string; qmp: boolean }; output: Inspection | null };
  /** The state alone, to see that nothing changed between two reads. */
  state: { input: { vmId: string }; output: { power: Power; runtimeId: string | null } | null };
  /** Whether somebody writes to these images, in the same order. */
  writers: { input: { paths: string[] }; output: WriterState[] };
  /** The domain's QEMU, the account that it runs as, and all targets of the domain; null: it does not run, or cannot be seen. */
  owner: { input: { vmId: string }; output: { pid: number; uid: number; gid: number; disks: string[] } | null };
  /** false: there is no such domain. */
  beginPull: { input: { vmId: string; xml: string }; output: boolean };
  /** Aborts the backup whose socket is this one; false: there is no such job. */
  abortPull: { input: { vmId: string; socketPath: string }; output: boolean };
  /** Removes the temporary definition that a killed agent has left; false: there was none. */
  sweep: { input: { vmId: string }; output: boolean };
  /** In order until the first that fails. null: there is no such domain. */
  change: {
    input: { vmId: string; runtimeId: string | null; changes: Change[] };
    output: ChangeOutcome | null;
  };
  /** null: there is no such domain. */
  backupLook: { input: { vmId: string; checkpointId: string | null; files: string[] }; output: BackupLook | null };
  /** Takes files that no job of libvirt's writes to out of QEMU; how many nodes went, null: there is no such domain. */
  releaseFiles: { input: { vmId: string; files: string[] }; output: number | null };
  /** null: there is no such domain. */
  beginPush: {
    input: { vmId: string; runtimeId: string; backupXml: string; checkpoint: { id: string; xml: string } | null };
    output: { ok: true } | { ok: false; error: HostError; isCheckpointLeft: boolean } | null;
  };
  /** Aborts a backup job; false: there is none, or it is not the one that writes into `files`. */
  abortPush: {
    input: { vmId: string; files: string[] | null; checkpointId: string | null };
    output: boolean | null;
  };
};
export type CallOp = keyof CallOps;

export type CallRequest = { [K in CallOp]: { id: number; op: K; input: CallOps[K]["input"] } }[CallOp];
export type CallReply =
  /** The child begins or has finished to open its connection: another deadline holds meanwhile. */
  | { type: "opening" }
  | { type: "opened" }
  | { type: "result"; id: number; value: unknown }
  /** `scope` host: the daemon or the connection failed, nothing is said about the domain. */
  | {
      type: "error";
      id: number;
      scope: "host" | "domain";
      error: ObserveError;
      libvirt: { code: number; domain: number } | null;
    };

export type EventChildMessage =
  | { type: "opening" }
  | { type: "connected"; at: string }
  | { type: "disconnected"; at: string; error: ObserveError }
  | { type: "event"; event: HostEvent }
  /** A job of a domain ended; its event of the API follows. */
  | { type: "job-ended"; vmId: string; ended: EndedJob }
  | { type: "alive" };
