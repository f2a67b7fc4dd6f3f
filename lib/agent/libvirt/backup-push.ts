/** Push-mode backup jobs: their XML, and the calls on them, which run inside a call child. */

import type { HostJob } from "#chain/model.ts";
import type { HostError } from "#contract/agent-operations.ts";
import { HostFailure, observeError } from "../failure.ts";
import { hostError, lostBackup, toHostError } from "../host-error.ts";
import { TEMPORARY_CHECKPOINT } from "../operations/host-steps.ts";
import { readRunning } from "./backup-look.ts";
import { type Connection, LibvirtFailure, orNull } from "./connection.ts";
import { deleteCheckpoint, hasCheckpoint } from "./delete-checkpoint.ts";
import { readDomainXml } from "./domain-xml.ts";
import { VIR_ERR } from "./errors.ts";
import type { Ptr } from "./ffi.ts";
import { type Reader, readJob, readState, readXml, withDomain } from "./inspect.ts";
import type { CallOps, RunningBackup } from "./ipc.ts";
import { buildXml } from "./xml.ts";

const REUSE_EXTERNAL = 1;
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
    deleteCheckpoint(c, domain, TEMPORARY_CHECKPOINT, { metadataOnly: true });
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
  if (checkpointId !== null) {
    try {
      deleteCheckpoint(c, domain, checkpointId, { metadataOnly: false });
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
    if (checkpointId !== null) deleteCheckpoint(c, domain, checkpointId, { metadataOnly: false });
    return true;
  });
}

/** The job that runs writes into exactly these files. */
export function isSameFiles(running: RunningBackup, files: readonly string[]): boolean {
  const seen = running.disks.map((disk) => disk.file);
  return running.isPush && seen.length === files.length && files.every((file) => seen.includes(file));
}
