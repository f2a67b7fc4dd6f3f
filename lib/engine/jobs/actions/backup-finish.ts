import { isHealthy, viewBitmaps } from "#chain/bitmaps.ts";
import type { Observation, RecordCheckpoint } from "#chain/model.ts";
import type { PlanStep } from "#chain/plan/model.ts";
import { readLayers } from "#chain/trust.ts";
import type { VerifyItem } from "#contract/agent-operations.ts";
import { activateCheckpoint, endBackup, getCheckpoint, lockVm, saveBackupDigest, saveSteps } from "#db/index.ts";
import { recompute } from "../../observe/recompute.ts";
import { Cancelled, NotOffered, ofHostError, StepFailed, TryAgain } from "../failure.ts";
import { callHost, type JobRun, record, recordSteps } from "../run.ts";
import { atItsHost, filesOf, type RunningBackup } from "./backup-job.ts";
import { undoBackup } from "./backup-undo.ts";
import { look } from "./observe.ts";

const LONGEST_MS = 24 * 3_600_000;
/** Why a file was not read back that is no fault of the file. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(["no-space", "permission-denied", "tool-missing"]);

type Digest = { target: string; sha256: string; virtualSize: number | null };

/** The data is complete. It is read back, and only then is the checkpoint a base. */
export async function finishBackup(run: JobRun, made: RunningBackup, steps: PlanStep[]): Promise<void> {
  const { vmId } = run.job;
  const { checkpointId } = made;
  if (checkpointId === null) throw new StepFailed("The backup makes no checkpoint.");
  let digests: Digest[] = [];
  if (run.engine.config.policy.digestBackups) {
    try {
      digests = await readBack(run, made, steps);
    } catch (error) {
      // Of the host that the VM has left nothing is awaited: what cannot be read back there is no backup.
      if (error instanceof TryAgain && error.isLost && made.hostId !== run.host.id)
        return undoBackup(run, made, new StepFailed(error.message, error.hostMessage));
      if (!(error instanceof StepFailed || error instanceof Cancelled)) throw error;
      // An agent that cannot read back says nothing against what was written.
      if (!(error instanceof NotOffered)) return undoBackup(run, made, error);
    }
  }
  const row = await getCheckpoint(run.engine.db.orm, vmId, checkpointId);
  const seen = await look(run);
  const broken = row && findBroken(run, seen, row);
  if (broken) return undoBackup(run, made, broken);
  const listed = seen?.checkpoints.ok ? seen.checkpoints.value.find((item) => item.id === checkpointId) : undefined;
  await record(run, async (tx) => {
    await lockVm(tx, { id: vmId });
    for (const digest of digests) await saveBackupDigest(tx, made.id, vmId, digest);
    // A list that libvirt lost since is no harm: the bitmaps are there, and it is told of them again.
    await activateCheckpoint(tx, vmId, checkpointId, listed?.createdAt ?? made.startedAt);
    // Of images that cannot hold a bitmap there is none: the name was only that of its folder.
    await endBackup(tx, made.id, { state: "finished", error: null, ...(row ? {} : { checkpointId: null }) });
    await saveSteps(
      tx,
      run.job,
      steps.map((step) => ({ n: step.n, state: "succeeded" as const, outcome: outcomeOf(run, made, step) })),
    );
    await recompute(tx, run.engine, vmId);
  });
}

/**
 * Why the checkpoint can be no base, or null: its bitmap is healthy on every disk. QEMU may have died since the data was
 * complete, and the bitmap, which it had never stored, with it. @throws TryAgain when that cannot be seen now
 */
function findBroken(run: JobRun, seen: Observation | null, { id, disks }: RecordCheckpoint): StepFailed | null {
  if (!seen) throw new TryAgain(`${run.host.name} does not know the VM now: its bitmaps are not seen.`, null, false);
  for (const { target } of disks) {
    const disk = seen.disks.find((one) => one.target === target);
    if (!disk) continue; // Detached since: that has a finding of its own.
    const layers = readLayers(seen, disk);
    if (!layers.ok && layers.error.code === "qmp-forbidden") continue;
    if (!layers.ok && layers.error.retryable) throw new TryAgain(layers.error.message, layers.error.hostMessage, false);
    const bitmap = layers.ok ? viewBitmaps(target, layers.value).get(id) : undefined;
    if (bitmap && isHealthy(bitmap)) continue;
    const state = layers.ok ? (bitmap?.state ?? "missing") : "unreadable";
    return new StepFailed(
      `The data was complete, but the checkpoint can be no base: its bitmap on ${target} is ${state}.`,
    );
  }
  return null;
}

/** @throws StepFailed: what was written cannot be read back */
async function readBack(run: JobRun, made: RunningBackup, steps: PlanStep[]): Promise<Digest[]> {
  await recordSteps(
    run,
    steps.map(({ n }) => ({ n, state: "running" as const, outcome: "written; reading it back" })),
  );
  const disks = filesOf(made).map(({ target, path }) => ({ target, path }));
  const there = atItsHost(run, made);
  if (!there) throw new StepFailed("The host that has its files is not watched any more: they cannot be read back.");
  const items = await callHost(there, LONGEST_MS, async (api, options) => {
    const read: VerifyItem[] = [];
    for await (const item of await api.verifyBackup({ disks, compareWith: null }, options))
      if (item.type !== "progress") read.push(item);
    return read;
  });
  return disks.flatMap(({ target }) => {
    const item = items.find((one) => one.type === "disk" && one.target === target);
    if (item?.type !== "disk") throw new StepFailed(`The file of ${target} could not be read back.`);
    const bad = item.images.find((image) => !image.ok);
    const words = item.error?.message ?? bad?.error ?? "the image is damaged";
    // No room for the temporary file, say: that speaks against the host and not against the backup.
    if (item.error && SAYS_NOTHING.has(item.error.code)) return [];
    if (item.error?.retryable) throw ofHostError(item.error);
    if (bad || item.sha256 === null)
      throw new StepFailed(`What was written of ${target} cannot be read back: ${words}`, item.error?.hostMessage);
    return [{ target, sha256: item.sha256, virtualSize: item.virtualSize }];
  });
}

/** A line about one disk says how that one was taken. */
function outcomeOf(run: JobRun, made: RunningBackup, step: PlanStep): string {
  const action = run.job.plan.actions[step.action];
  const words = made.disks
    .filter((disk) => step.disks.length === 0 || step.disks.includes(disk.target))
    .map((disk) => {
      const asked = action?.verb === "host.backup" ? action.disks.find((one) => one.target === disk.target) : undefined;
      const instead = asked?.mode === "incremental" && disk.mode === "full";
      return `${disk.target}: ${instead ? `taken in full, because its base ${asked.base} could not be used` : disk.mode}`;
    });
  return words.join("; ");
}
