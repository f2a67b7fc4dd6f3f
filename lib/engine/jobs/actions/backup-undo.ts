import type { Observation } from "#chain/model.ts";
import { deleteCheckpoints, endBackup, lockVm, markDeleting, saveBackupReason } from "#db/index.ts";
import { recompute } from "../../observe/recompute.ts";
import { Cancelled, ofHostError, StepFailed } from "../failure.ts";
import { type JobRun, record } from "../run.ts";
import { abortBackup } from "./abort-job.ts";
import { discard, isOurs, type RunningBackup, readCurrent } from "./backup-job.ts";
import { deleteBitmapsOnHost } from "./delete-bitmaps.ts";
import { deleteOnHost } from "./delete-checkpoints.ts";
import { look } from "./observe.ts";

const CANCELLED = "Cancelled on request.";

/**
 * Takes everything back that a backup made which did not finish: nothing is left that could become a base. First the
 * record says so, then the host is cleaned, then the rows go; cut off anywhere, it goes on from there.
 * @throws Cancelled or StepFailed with the reason, when all is gone; TryAgain when it must go on later
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
  const seen = await look(run);
  if (seen && checkpointId !== null) await clean(run, seen, checkpointId);
  const left = await discard(run, made);
  const error = left === null ? reason : `${reason} ${left}`;
  await record(run, async (tx) => {
    await lockVm(tx, { id: vmId });
    await endBackup(tx, made.id, { state: reason === CANCELLED ? "aborted" : "failed", error });
    if (checkpointId !== null) await deleteCheckpoints(tx, vmId, [checkpointId]);
    await recompute(tx, run.engine, vmId);
  });
  if (reason === CANCELLED) throw new Cancelled();
  throw new StepFailed(error, why instanceof StepFailed ? why.hostMessage : null);
}

/** On the run of the domain that was just seen: what this job made is cleaned up on the next run too. */
async function clean(run: JobRun, seen: Observation, checkpointId: string): Promise<void> {
  const expect = { runtimeId: seen.runtimeId };
  if (seen.checkpoints.ok && seen.checkpoints.value.some((item) => item.id === checkpointId)) {
    const { results } = await deleteOnHost(run, [checkpointId], expect);
    const failed = results.find((item) => item.outcome === "failed");
    if (failed?.error) throw ofHostError(failed.error);
    return;
  }
  const items = seen.disks
    .filter(
      (disk) => disk.layers.ok && disk.layers.value.some((layer) => layer.bitmaps.some((b) => b.name === checkpointId)),
    )
    .map((disk) => ({ disk: disk.target, bitmap: checkpointId }));
  if (items.length === 0) return;
  const { results } = await deleteBitmapsOnHost(run, items, expect);
  const failed = results.find((item) => item.outcome === "failed");
  if (failed?.error) throw ofHostError(failed.error);
}
