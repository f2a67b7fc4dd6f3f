/** Push-mode backup jobs: their XML, and the calls on them, which run inside a call child. */

import type { HostJob } from "#chain/model.ts";
import type { HostError } from "#contract/agent-operations.ts";
import type { EndedJob } from "../backups/outcome.ts";
import { HostFailure, observeError } from "../failure.ts";
import { hostError, lostBackup, toHostError } from "../host-error.ts";
import { TEMPORARY_CHECKPOINT } from "../operations/host-steps.ts";
import { type Connection, LibvirtFailure } from "./connection.ts";
import { readDomainXml } from "./domain-xml.ts";
import { VIR_ERR } from "./errors.ts";
import { decodeTypedParams, type Out, type Ptr } from "./ffi.ts";
import { isActive, isAtWork, readJob, readState, readXml, withDomain } from "./inspect.ts";
import type { BackupLook, CallOps, RunningBackup } from "./ipc.ts";
import { probeWriter } from "./locks.ts";
import type { RuntimeIds } from "./runtime-id.ts";
import { attr, buildXml, child, children, parseXml } from "./xml.ts";

const REUSE_EXTERNAL = 1;
/** VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED. */
const COMPLETED_AND_KEPT = 3;
const OPERATION_BACKUP = 9;
const DELETE_METADATA_ONLY = 2;

type Reader = { connection: Connection; runtimeIds: RuntimeIds };

/** One disk of a push job. `base`: the checkpoint of an incremental. `file` is made before the job begins. */
export type PushDisk = { target: string; base: string | null; file: string };

/** @param others the domain's other disks, whatever their kind: libvirt takes what is not named along */
export function pushXml(disks: readonly PushDisk[], others: readonly string[]): string {
  return buildXml({
    domainbackup: {
      "@mode": "push",
      disks: {
        disk: [
          ...disks.map(({ target, base, file }) => ({
            "@name": target,
            "@backup": "yes",
            "@type": "file",
            ...(base === null ? { "@backupmode": "full" } : { "@backupmode": "incremental", "@incremental": base }),
            target: { "@file": file },
            driver: { "@type": "qcow2" },
          })),
          ...others.map((target) => ({ "@name": target, "@backup": "no" })),
        ],
      },
    },
  });
}

/** The checkpoint that a job makes as it begins: explicit disks, explicit bitmaps, no `<domain>`. */
export function newCheckpointXml(id: string, covered: readonly string[], others: readonly string[]): string {
  return buildXml({
    domaincheckpoint: {
      name: id,
      disks: {
        disk: [
          ...covered.map((target) => ({ "@name": target, "@checkpoint": "bitmap", "@bitmap": id })),
          ...others.map((target) => ({ "@name": target, "@checkpoint": "no" })),
        ],
      },
    },
  });
}

/** What libvirt formats of a job that runs. */
export function readBackupXml(xml: string): RunningBackup {
  const root = child(parseXml(xml), "domainbackup");
  const isPush = attr(root, "mode") === "push";
  const disks = children(child(root, "disks"), "disk")
    .filter((disk) => attr(disk, "backup") === "yes")
    .map((disk) => ({
      target: attr(disk, "name") ?? "",
      mode: attr(disk, "backupmode") === "incremental" ? ("incremental" as const) : ("full" as const),
      file: attr(child(disk, isPush ? "target" : "scratch"), "file"),
    }));
  return { isPush, disks };
}

/** How a job ended, from the typed parameters of its statistics or of its event. `type` is virDomainJobType. */
export function readEndedJob(stats: Record<string, number | boolean | string>, type: number | null): EndedJob | null {
  const { operation, time_elapsed, success, errmsg, disk_processed } = stats;
  if (typeof operation !== "number") return null;
  return {
    isBackup: operation === OPERATION_BACKUP,
    elapsedMs: typeof time_elapsed === "number" ? time_elapsed : 0,
    type,
    success: typeof success === "boolean" ? success : null,
    errorMessage: typeof errmsg === "string" ? errmsg : null,
    doneBytes: typeof disk_processed === "number" ? disk_processed : null,
  };
}

function readCompleted(c: Connection, domain: Ptr): EndedJob | null {
  const type: Out<number> = [0];
  const params: Out<Ptr> = [null];
  const count: Out<number> = [0];
  if (c.lib.domainGetJobStats(domain, type, params, count, COMPLETED_AND_KEPT) < 0) {
    return orNull(() => c.fail(), VIR_ERR.OPERATION_INVALID);
  }
  const stats = decodeTypedParams(params[0], count[0]);
  c.lib.typedParamsFree(params[0], count[0]);
  return readEndedJob(stats, type[0]);
}

/** null when libvirt says `code`; any other failure goes on. */
function orNull<T>(call: () => T, code: number): T | null {
  try {
    return call();
  } catch (thrown) {
    if (thrown instanceof LibvirtFailure && thrown.code === code) return null;
    throw thrown;
  }
}

function readRunning(c: Connection, domain: Ptr): RunningBackup | null {
  const xml = c.lib.domainBackupGetXml(domain, 0);
  if (xml !== null) return readBackupXml(xml);
  return orNull(() => c.fail(), VIR_ERR.NO_DOMAIN_BACKUP);
}

function hasCheckpoint(c: Connection, domain: Ptr, id: string): boolean {
  const checkpoint = c.lib.checkpointLookupByName(domain, id, 0);
  if (checkpoint === null) return orNull(() => c.fail(), VIR_ERR.NO_DOMAIN_CHECKPOINT) !== null;
  c.lib.checkpointFree(checkpoint);
  return true;
}

function deleteCheckpoint(c: Connection, domain: Ptr, id: string, flags = 0): void {
  const checkpoint = c.lib.checkpointLookupByName(domain, id, 0) ?? c.fail();
  try {
    if (c.lib.checkpointDelete(checkpoint, flags) < 0) c.fail();
  } finally {
    c.lib.checkpointFree(checkpoint);
  }
}

/**
 * One look at a domain's backup. The job is read before and after its XML is: a job that ends in between shows as ended.
 * @param checkpointId of which to say whether libvirt lists it
 * @param files of which to say whether they are still written to
 */
export function lookAtBackup(
  { connection: c, runtimeIds }: Reader,
  handle: Ptr,
  { vmId, checkpointId, files }: CallOps["backupLook"]["input"],
): BackupLook | null {
  // First: a QEMU that is seen to live after this has closed them itself, one that is gone may have been torn from them.
  const isHeld = files.some((file) => probeWriter(file) === "held");
  return withDomain(c, handle, vmId, (domain) => {
    const domainId = readDomainXml(readXml(c, domain)).id;
    const { power, runtimeId } = readState({ connection: c, runtimeIds }, domain, vmId, domainId);
    const running = isActive(power) ? readRunning(c, domain) : null;
    const job = isActive(power) ? readJob(c, domain) : null;
    return {
      isRunning: isActive(power),
      runtimeId,
      job: job !== null && isAtWork(job) ? job : null,
      // A job that is about to end has its XML still and its statistics no more.
      backup: running,
      completed: readCompleted(c, domain),
      hasCheckpoint: checkpointId !== null && hasCheckpoint(c, domain, checkpointId),
      isHeld,
    };
  });
}

/** One that is in the way. @throws HostFailure lock-held */
function assertFree({ operation, elapsedMs }: HostJob): void {
  if (operation === "none") return;
  const since = `for ${Math.round(elapsedMs / 1000)} s`;
  throw new HostFailure(observeError("lock-held", `A ${operation} job is on this domain ${since}.`));
}

/**
 * Begins a push job with its checkpoint. What libvirt refuses is an answer: then neither the job nor the checkpoint is
 * there, or the answer says that the checkpoint stayed. Never called twice for one job: the daemon may have begun it.
 */
export function beginPush(
  { connection: c, runtimeIds }: Reader,
  handle: Ptr,
  input: CallOps["beginPush"]["input"],
): CallOps["beginPush"]["output"] {
  const { vmId, runtimeId, backupXml, checkpoint } = input;
  return withDomain(c, handle, vmId, (domain) => {
    const now = readState({ connection: c, runtimeIds }, domain, vmId, readDomainXml(readXml(c, domain)).id);
    if (now.runtimeId === null) return refused(hostError("not-running", "The domain does not run."));
    if (now.runtimeId !== runtimeId) {
      const words = `was ${runtimeId}, is ${now.runtimeId}`;
      throw new HostFailure(observeError("domain-changed", "The domain was started anew meanwhile.", words));
    }
    const job = readJob(c, domain);
    if (job.operation === "lost-backup") return refused(lostBackup());
    assertFree(job);
    // Of a deletion whose agent was killed. Where it is the only definition libvirt may take it for the current one, and
    // would make it the new checkpoint's parent.
    if (hasCheckpoint(c, domain, TEMPORARY_CHECKPOINT)) {
      deleteCheckpoint(c, domain, TEMPORARY_CHECKPOINT, DELETE_METADATA_ONLY);
    }
    if (checkpoint !== null && hasCheckpoint(c, domain, checkpoint.id)) {
      return refused(hostError("already-exists", `There is a checkpoint '${checkpoint.id}' already.`));
    }
    if (c.lib.domainBackupBegin(domain, backupXml, checkpoint?.xml ?? null, REUSE_EXTERNAL) >= 0) return { ok: true };
    return orRefused(c, domain, checkpoint?.id ?? null);
  });
}

const refused = (error: HostError) => ({ ok: false as const, error, isCheckpointLeft: false });

/** After a failed begin: its error, and no checkpoint of it. A lost connection is no answer and goes on. */
function orRefused(c: Connection, domain: Ptr, checkpointId: string | null): CallOps["beginPush"]["output"] {
  let error: HostError;
  try {
    return c.fail();
  } catch (thrown) {
    if (!(thrown instanceof LibvirtFailure) || thrown.lost) throw thrown;
    error = toHostError(thrown);
  }
  let isCheckpointLeft = false;
  if (checkpointId !== null && hasCheckpoint(c, domain, checkpointId)) {
    try {
      deleteCheckpoint(c, domain, checkpointId);
    } catch (thrown) {
      if (thrown instanceof LibvirtFailure && thrown.lost) throw thrown;
      isCheckpointLeft = true;
    }
  }
  return { ok: false, error, isCheckpointLeft };
}

/**
 * Aborts a backup job. `files`: only the job that writes into exactly these. `checkpointId` goes with it, where it is
 * there and the caller is the only one who can know of it.
 */
export function abortPush(
  { connection: c }: Reader,
  handle: Ptr,
  { vmId, files, checkpointId }: CallOps["abortPush"]["input"],
): boolean | null {
  return withDomain(c, handle, vmId, (domain) => {
    const running = readRunning(c, domain);
    if (running === null) return false;
    if (files !== null && !isSameFiles(running, files)) return false;
    // Between the look and the call the job may have ended: then there is none to abort.
    if (c.lib.domainAbortJob(domain) < 0) orNull(() => c.fail(), VIR_ERR.OPERATION_INVALID);
    if (checkpointId !== null && hasCheckpoint(c, domain, checkpointId)) deleteCheckpoint(c, domain, checkpointId);
    return true;
  });
}

/** The job that runs writes into exactly these files. */
export function isSameFiles(running: RunningBackup, files: readonly string[]): boolean {
  const seen = running.disks.map((disk) => disk.file);
  return running.isPush && seen.length === files.length && files.every((file) => seen.includes(file));
}
