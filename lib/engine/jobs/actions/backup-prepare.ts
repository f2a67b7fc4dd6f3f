import {
  type BackupDisk,
  findBackupOf,
  findRestorePoint,
  getCheckpoint,
  insertBackup,
  insertCheckpoint,
  lockVm,
} from "#db/index.ts";
import { StepFailed } from "../failure.ts";
import { callHost, type JobRun, record } from "../run.ts";
import type { BackupAction, RunningBackup } from "./backup-job.ts";

const ANSWER_MS = 20_000;

/** Writes down what is about to be made, before the host is asked for anything. @throws StepFailed */
export async function prepareBackup(run: JobRun, action: BackupAction): Promise<RunningBackup> {
  const { vmId } = run.job;
  const { checkpointId, parentId } = action;
  const repository = action.repository ?? (await firstRepository(run));
  const disks = await Promise.all(action.disks.map((disk) => fileOf(run, action, disk, repository)));
  return record(run, async (tx) => {
    await lockVm(tx, { id: vmId });
    if (await getCheckpoint(tx, vmId, checkpointId))
      throw new StepFailed(`There is a checkpoint ${checkpointId} already.`);
    if (parentId !== null && (await getCheckpoint(tx, vmId, parentId))?.state !== "active")
      throw new StepFailed(`Its parent ${parentId} is not recorded any more.`);
    const covered = action.disks.filter((disk) => disk.inCheckpoint).map((disk) => disk.target);
    if (covered.length > 0)
      await insertCheckpoint(tx, {
        vmId,
        id: checkpointId,
        parentId,
        createdAt: new Date().toISOString(),
        disks: covered,
        state: "creating",
        origin: "driftline",
      });
    await insertBackup(tx, { vmId, hostId: run.host.id, jobId: run.job.id, checkpointId, disks });
    const made = await findBackupOf(tx, vmId, checkpointId);
    if (!made) throw new Error("a backup was not stored");
    return made;
  });
}

async function firstRepository(run: JobRun): Promise<string> {
  const { repositories } = await callHost(run, ANSWER_MS, (api, options) => api.host({}, options));
  const [first] = repositories;
  if (first === undefined) throw new StepFailed(`The agent on ${run.host.name} has no directory for backups.`);
  return first;
}

/** The new file, on top of the file of its base. Without one there is nothing to put an increment on. */
async function fileOf(
  run: JobRun,
  action: BackupAction,
  { target, mode, base }: BackupAction["disks"][number],
  repository: string,
): Promise<BackupDisk> {
  const { vmId } = run.job;
  const path = `${repository.replace(/\/+$/, "")}/${vmId}/${action.checkpointId}/${target}.qcow2`;
  const full: BackupDisk = { target, mode: "full", base: null, path, backing: null };
  if (mode === "full" || base === null) return full;
  const backing = await findRestorePoint(run.engine.db.orm, vmId, base, target);
  if (backing !== null) return { target, mode, base, path, backing };
  if (action.fallback) return full;
  throw new StepFailed(`There is no file of ${base} for ${target} that an increment could be put on.`);
}
