/**
 * A push-mode backup with its checkpoint. The record row stands as `creating`, and the backup as running, before the
 * host is asked, so that whatever dies on the way, the next attempt finds in the database that there was one and asks the
 * host what became of it:
 *
 * | record row | backup                | host says             | then                                       |
 * |------------|-----------------------|-----------------------|--------------------------------------------|
 * | none       | none                  |                       | insert both, begin                         |
 * | creating   | running               | ours runs             | watch                                      |
 * | creating   | running               | ours finished         | note it as complete                        |
 * | creating   | running, complete     | its bitmaps healthy   | read back, make it a base                  |
 * | creating   | running, complete     | a bitmap broken       | undo: it can be no base                    |
 * | creating   | running               | no job, no checkpoint | begin (in a clean-up: undo)                |
 * | creating   | running               | a disk not read       | wait: it may hold the bitmap               |
 * | creating   | running               | anything else         | undo: nobody knows that it finished        |
 * | deleting   | running               |                       | go on undoing                              |
 */
import type { PlanStep } from "#chain/plan/model.ts";
import type { CurrentBackup } from "#contract/agent-operations.ts";
import { findBackupOf, getCheckpoint, saveBackupBytes, saveBackupComplete, saveProgress } from "#db/index.ts";
import { Cancelled, StepFailed, TryAgain } from "../failure.ts";
import { type JobRun, noteProgress, pause, record, recordSteps, throwIfCancelled } from "../run.ts";
import { beginBackup } from "./backup-begin.ts";
import { finishBackup } from "./backup-finish.ts";
import { type BackupAction, discard, isOurs, type RunningBackup, readCurrent } from "./backup-job.ts";
import { prepareBackup } from "./backup-prepare.ts";
import { findTrace } from "./backup-trace.ts";
import { undoBackup } from "./backup-undo.ts";
import { look } from "./observe.ts";

const FIRST_POLL_MS = 150;
const POLL_MS = 1_000;

export async function backup(run: JobRun, action: BackupAction, steps: PlanStep[]): Promise<void> {
  const { orm } = run.engine.db;
  const { vmId } = run.job;
  const row = await getCheckpoint(orm, vmId, action.checkpointId);
  const known = await findBackupOf(orm, vmId, action.checkpointId);
  const isRunning = known?.state === "running";
  if (known?.state === "finished" && row?.state !== "creating") return recordDone(run, steps, "finished already");
  if (!row && known && !isRunning) throw new StepFailed(known.error ?? "The backup did not finish.");
  const isCovered = action.disks.some((disk) => disk.inCheckpoint);
  if (known && (row?.state === "deleting" || (isCovered && !row))) return undoBackup(run, known);
  if (row && !isRunning) throw new StepFailed(`There is a checkpoint ${action.checkpointId} already.`);
  if (known?.endedAt) return finishBackup(run, known, steps);
  const made = known ?? (await prepareBackup(run, action));
  try {
    await throwIfCancelled(run);
    await settle(run, action, made, known !== null);
  } catch (error) {
    if (!(error instanceof Cancelled || error instanceof StepFailed)) throw error;
    return undoBackup(run, made, error);
  }
  const complete = await findBackupOf(orm, vmId, action.checkpointId);
  if (!complete) throw new StepFailed("The backup's row is gone.");
  return finishBackup(run, complete, steps);
}

/** Returns once the data is complete. @throws StepFailed, Cancelled: it has to be undone */
async function settle(run: JobRun, action: BackupAction, made: RunningBackup, isResumed: boolean): Promise<void> {
  let current = isResumed ? await resume(run, action, made) : await beginBackup(run, action, made);
  let savedAt = 0;
  for (const began = Date.now(); ; ) {
    if (!isOurs(current, made)) throw new StepFailed("The backup is gone, and nobody saw how it ended.");
    if (current.state === "finished") break;
    if (current.state !== "running") throw new StepFailed(wordsOf(current), current.error?.hostMessage ?? null);
    if (current.progress && Date.now() - savedAt > POLL_MS) {
      savedAt = Date.now();
      const { progress, disks } = current;
      await record(run, async (tx) => {
        await saveBackupBytes(tx, made.id, run.job.vmId, disks);
        await saveProgress(tx, run.job, progress);
      });
      // It runs, and can be asked again.
      await noteProgress(run);
    }
    await throwIfCancelled(run);
    await pause(run, Math.min(POLL_MS, FIRST_POLL_MS + (Date.now() - began) / 5));
    current = await readCurrent(run);
  }
  const { disks } = current;
  await record(run, (tx) =>
    saveBackupComplete(
      tx,
      made.id,
      run.job.vmId,
      made.disks.map(({ target }) => ({
        target,
        bytes: disks.find((disk) => disk.target === target)?.bytes ?? null,
      })),
    ),
  );
  await noteProgress(run);
}

/** Somebody began it, or was about to: what does the host say? */
async function resume(run: JobRun, action: BackupAction, made: RunningBackup): Promise<CurrentBackup> {
  const current = await readCurrent(run);
  if (current.state !== "none" && isOurs(current, made)) return current;
  if (current.state === "running") throw new TryAgain("Another backup runs on this VM.", null, false);
  const seen = await look(run);
  // Unknown is not untouched: begun again, it might meet what the first one made.
  if (!seen) throw new StepFailed(`${run.host.name} does not know the VM now, and nobody saw how its backup ended.`);
  const covered = action.disks.filter((disk) => disk.inCheckpoint).map((disk) => disk.target);
  const { isListed, disks, unread } = findTrace(seen, action.checkpointId, covered);
  if (isListed || disks.length > 0) throw new StepFailed("The backup is gone, and nobody saw how it ended.");
  if (unread?.retryable) throw new TryAgain(unread.message, unread.hostMessage, false);
  if (unread) throw new StepFailed(`It cannot be seen whether the backup began: ${unread.message}`, unread.hostMessage);
  if (run.job.kind !== "backup") throw new StepFailed("The backup never began.");
  await discard(run, made);
  return beginBackup(run, action, made);
}

function wordsOf(current: CurrentBackup): string {
  if (current.state === "ended-unseen") return "The backup is gone, and nobody saw how it ended.";
  if (current.state === "aborted") return "The backup was aborted on the host.";
  return current.error?.message ?? "The backup failed.";
}

const recordDone = (run: JobRun, steps: PlanStep[], outcome: string): Promise<void> =>
  recordSteps(
    run,
    steps.map(({ n }) => ({ n, state: "succeeded" as const, outcome })),
  );
