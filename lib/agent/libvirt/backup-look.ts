/** What libvirt says of a domain's backup: the one that runs, the one that ended last. Read inside a call child. */
import type { EndedJob } from "../backups/outcome.ts";
import { type Connection, orNull } from "./connection.ts";
import { hasCheckpoint } from "./delete-checkpoint.ts";
import { readDomainXml } from "./domain-xml.ts";
import { VIR_ERR } from "./errors.ts";
import { decodeTypedParams, type Out, type Ptr } from "./ffi.ts";
import { isAtWork, type Reader, readJob, readState, readXml, withDomain } from "./inspect.ts";
import type { BackupLook, CallOps, RunningBackup } from "./ipc.ts";
import { probeWriter } from "./locks.ts";
import { isActive } from "./power.ts";
import { attr, child, children, parseXml } from "./xml.ts";

/** VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED. */
const COMPLETED_AND_KEPT = 3;
const OPERATION_BACKUP = 9;
/** Larger than virDomainBlockJobInfo, of which nothing is read. */
const BLOCK_JOB_INFO_BYTES = 64;

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

export function readRunning(c: Connection, domain: Ptr): RunningBackup | null {
  const xml = c.lib.domainBackupGetXml(domain, 0);
  if (xml !== null) return readBackupXml(xml);
  return orNull(() => c.fail(), VIR_ERR.NO_DOMAIN_BACKUP);
}

/** How many of these disks have a block job, by libvirt's own word; null: it would not say, the domain may have stopped. */
function countBlockJobs(c: Connection, domain: Ptr, { disks }: RunningBackup): number | null {
  const unused = Buffer.alloc(BLOCK_JOB_INFO_BYTES);
  let count = 0;
  for (const { target } of disks) {
    const found = c.lib.domainGetBlockJobInfo(domain, target, unused, 0);
    if (found < 0) return null;
    if (found > 0) count += 1;
  }
  return count;
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
      blockJobs: running === null ? null : countBlockJobs(c, domain, running),
      completed: readCompleted(c, domain),
      hasCheckpoint: checkpointId !== null && hasCheckpoint(c, domain, checkpointId),
      isHeld,
    };
  });
}
