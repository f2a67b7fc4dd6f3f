import { isHealthy, summariseBitmaps } from "#chain/bitmaps.ts";
import type { Observation } from "#chain/model.ts";
import type { CurrentBackup } from "#contract/agent-operations.ts";
import { type BackupDisk, findBackupOf, saveBackupDisks } from "#db/index.ts";
import { ofHostError, StepFailed } from "../failure.ts";
import { callHost, expectOf, type JobRun, record } from "../run.ts";
import { type BackupAction, discard, filesOf, type RunningBackup } from "./backup-job.ts";
import { look } from "./observe.ts";

/** libvirt waits 30 s for a domain's lock before it says so. */
const BEGIN_MS = 90_000;

/** Asks the host. A disk whose base turns out to be broken is taken in full, where the plan allows it. */
export async function beginBackup(run: JobRun, action: BackupAction, made: RunningBackup): Promise<CurrentBackup> {
  try {
    return await ask(run, made);
  } catch (error) {
    if (!(error instanceof StepFailed) || !action.fallback) throw error;
    const disks = await withoutBrokenBases(run, made, error.disks);
    if (!disks) throw error;
    // Whatever the refused one had made.
    await discard(run, made);
    const changed = await record(run, async (tx) => {
      await saveBackupDisks(tx, made.id, run.job.vmId, disks);
      return findBackupOf(tx, run.job.vmId, action.checkpointId);
    });
    if (!changed) throw error;
    made.disks = changed.disks;
    return ask(run, made);
  }
}

async function ask(run: JobRun, made: RunningBackup): Promise<CurrentBackup> {
  const { checkpointId } = made;
  if (checkpointId === null) throw new StepFailed("The backup makes no checkpoint.");
  const disks = filesOf(made);
  const current = await callHost(run, BEGIN_MS, (api, options) =>
    api.beginBackup({ vmId: run.job.vmId, checkpointId, disks, expect: expectOf(run) }, options),
  );
  if (current.state !== "running" && current.state !== "finished" && current.error) throw ofHostError(current.error);
  return current;
}

/** The same disks, in full those whose base the host named or shows as broken; null: none is. */
async function withoutBrokenBases(run: JobRun, made: RunningBackup, named: string[]): Promise<BackupDisk[] | null> {
  const seen = await look(run);
  if (!seen) return null;
  const files = filesOf(made);
  const broken = files.filter(
    ({ target, base }) => base !== null && (named.includes(target) || !isUsable(seen, target, base)),
  );
  if (broken.length === 0) return null;
  return files.map((file) => (broken.includes(file) ? { ...file, mode: "full", base: null, backing: null } : file));
}

function isUsable(seen: Observation, target: string, base: string): boolean {
  const disk = seen.disks.find((one) => one.target === target);
  const bitmaps = disk && summariseBitmaps(disk);
  if (!bitmaps?.ok) return false;
  const listed = seen.checkpoints.ok ? seen.checkpoints.value.find((item) => item.id === base) : undefined;
  const isListed = listed?.disks.some((one) => one.target === target && one.bitmap === base) ?? false;
  return isListed && bitmaps.value.some((bitmap) => bitmap.name === base && isHealthy(bitmap));
}
