import type { PlanStep } from "#chain/plan/model.ts";
import type { VerifyItem } from "#contract/agent-operations.ts";
import { activateCheckpoint, endBackup, getCheckpoint, lockVm, saveBackupDigest, saveSteps } from "#db/index.ts";
import { recompute } from "../../observe/recompute.ts";
import { Cancelled, NotOffered, ofHostError, StepFailed } from "../failure.ts";
import { callHost, type JobRun, record, recordSteps } from "../run.ts";
import { filesOf, type RunningBackup } from "./backup-job.ts";
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
      if (!(error instanceof StepFailed || error instanceof Cancelled)) throw error;
      // An agent that cannot read back says nothing against what was written.
      if (!(error instanceof NotOffered)) return undoBackup(run, made, error);
    }
  }
  const seen = await look(run);
  const listed = seen?.checkpoints.ok ? seen.checkpoints.value.find((item) => item.id === checkpointId) : undefined;
  await record(run, async (tx) => {
    await lockVm(tx, { id: vmId });
    for (const digest of digests) await saveBackupDigest(tx, made.id, vmId, digest);
    // A transient VM that stopped meanwhile is listed nowhere; its bitmaps are there, and it is defined again at its start.
    await activateCheckpoint(tx, vmId, checkpointId, listed?.createdAt ?? made.startedAt);
    // Of images that cannot hold a bitmap there is none: the name was only that of its folder.
    const hasCheckpoint = (await getCheckpoint(tx, vmId, checkpointId)) !== null;
    await endBackup(tx, made.id, { state: "finished", error: null, ...(hasCheckpoint ? {} : { checkpointId: null }) });
    await saveSteps(
      tx,
      run.job,
      steps.map((step) => ({ n: step.n, state: "succeeded" as const, outcome: outcomeOf(run, made, step) })),
    );
    await recompute(tx, vmId);
  });
}

/** @throws StepFailed: what was written cannot be read back */
async function readBack(run: JobRun, made: RunningBackup, steps: PlanStep[]): Promise<Digest[]> {
  await recordSteps(
    run,
    steps.map(({ n }) => ({ n, state: "running" as const, outcome: "written; reading it back" })),
  );
  const disks = filesOf(made).map(({ target, path }) => ({ target, path }));
  const items = await callHost(run, LONGEST_MS, async (api, options) => {
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
