import type { HostError } from "#contract/agent-operations.ts";
import { deleteCheckpoints, endBackup, getCheckpoint, lockVm, markDeleting, saveBackupReason } from "#db/index.ts";
import { recompute } from "../../observe/recompute.ts";
import { Cancelled, ofHostError, StepFailed, TryAgain } from "../failure.ts";
import { type JobRun, record } from "../run.ts";
import { abortBackup } from "./abort-job.ts";
import { discard, isOurs, type RunningBackup, readCurrent } from "./backup-job.ts";
import { findTrace } from "./backup-trace.ts";
import { deleteBitmapsOnHost } from "./delete-bitmaps.ts";
import { deleteOnHost } from "./delete-checkpoints.ts";
import { look } from "./observe.ts";

const CANCELLED = "Cancelled on request.";

/**
 * Takes everything back that a backup made which did not finish: nothing is left that could become a base. First the
 * record says so, then the host is cleaned, then the rows go; cut off anywhere, it goes on from there.
 * What the host cannot show or give up now is left to the clean-up of leftovers, and the backup ends all the same.
 * @throws Cancelled or StepFailed with the reason, when it has ended; TryAgain when it must go on later
 */
export async function undoBackup(run: JobRun, made: RunningBackup, why?: StepFailed | Cancelled): Promise<never> {
  const { vmId } = run.job;
  const { checkpointId } = made;
  const words = why
    ? why instanceof Cancelled
      ? CANCELLED
      : why.message
    : (made.error ?? "The backup did not finish.");
  const reason = made.error ?? words;
  await record(run, async (tx) => {
    await lockVm(tx, { id: vmId });
    await saveBackupReason(tx, made.id, reason);
    if (checkpointId !== null) await markDeleting(tx, vmId, [checkpointId]);
  });
  const current = await readCurrent(run);
  if (current.state === "running" && isOurs(current, made)) await abortBackup(run);
  const unknown = checkpointId === null ? null : await clean(run, checkpointId);
  const left = await discard(run, made);
  const error = [reason, unknown, left].filter((part) => part !== null).join(" ");
  await record(run, async (tx) => {
    await lockVm(tx, { id: vmId });
    await endBackup(tx, made.id, { state: reason === CANCELLED ? "aborted" : "failed", error });
    // Else the row stays as it is, `deleting`: it alone says whose the bitmap is, if there is one.
    if (checkpointId !== null && unknown === null) await deleteCheckpoints(tx, vmId, [checkpointId]);
    await recompute(tx, run.engine, vmId);
  });
  if (reason === CANCELLED) throw new Cancelled();
  throw new StepFailed(error, why instanceof StepFailed ? why.hostMessage : null);
}

/**
 * On the run of the domain that was just seen: what this job made is cleaned up on the next run too. null: the host has
 * nothing of it; else why that is not known, in words. @throws TryAgain where that may pass by itself
 */
async function clean(run: JobRun, checkpointId: string): Promise<string | null> {
  const { vmId } = run.job;
  const row = await getCheckpoint(run.engine.db.orm, vmId, checkpointId);
  const seen = await look(run);
  // Of images that cannot hold a bitmap there is no row, and nothing to look for.
  if (!seen) return row && `${run.host.name} does not know the VM now, so that its bitmaps may still be there.`;
  const covered = row?.disks.map((disk) => disk.target) ?? [];
  const { isListed, disks, unread } = findTrace(seen, checkpointId, covered);
  if (unread?.retryable) throw new TryAgain(unread.message, unread.hostMessage, false);
  const expect = { runtimeId: seen.runtimeId };
  try {
    if (isListed) ofResults(await deleteOnHost(run, [checkpointId], expect));
    else if (disks.length > 0) {
      const items = disks.map((disk) => ({ disk, bitmap: checkpointId }));
      ofResults(await deleteBitmapsOnHost(run, items, expect));
    }
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    return `Its checkpoint is not removed: ${error.message}`;
  }
  return unread && `Its bitmaps may still be there: ${unread.message}`;
}

function ofResults({ results }: { results: readonly { outcome: string; error: HostError | null }[] }): void {
  const failed = results.find((item) => item.outcome === "failed");
  if (failed?.error) throw ofHostError(failed.error);
}
