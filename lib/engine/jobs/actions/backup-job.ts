/** What the parts of a backup share: its rows, its files, and the one question to the host. */
import type { PlanAction } from "#chain/plan/model.ts";
import type { CurrentBackup } from "#contract/agent-operations.ts";
import type { BackupDisk, findBackupOf } from "#db/index.ts";
import { StepFailed, UnknownToHost } from "../failure.ts";
import { callHost, type JobRun } from "../run.ts";

export type BackupAction = Extract<PlanAction, { verb: "host.backup" }>;
export type RunningBackup = NonNullable<Awaited<ReturnType<typeof findBackupOf>>>;

const ANSWER_MS = 45_000;

export async function readCurrent(run: JobRun): Promise<CurrentBackup> {
  try {
    return await callHost(run, ANSWER_MS, (api, options) => api.currentBackup({ vmId: run.job.vmId }, options));
  } catch (error) {
    if (error instanceof UnknownToHost) return NONE;
    throw error;
  }
}

/** A VM that the host does not know (any more) has no job. */
const NONE: CurrentBackup = {
  state: "none",
  checkpointId: null,
  startedAt: null,
  endedAt: null,
  progress: null,
  disks: [],
  error: null,
};

export async function discard(run: JobRun, made: RunningBackup): Promise<void> {
  const paths = made.disks.flatMap((disk) => disk.path ?? []);
  if (paths.length > 0) await callHost(run, ANSWER_MS, (api, options) => api.discardFiles({ paths }, options));
}

/** libvirt does not always say which checkpoint a job makes; the files do. */
export function isOurs(current: CurrentBackup, made: RunningBackup): boolean {
  if (current.checkpointId !== null) return current.checkpointId === made.checkpointId;
  const paths = new Set(made.disks.map((disk) => disk.path));
  return current.disks.length > 0 && current.disks.every((disk) => paths.has(disk.path));
}

export const filesOf = (made: RunningBackup): BackupDisk[] =>
  made.disks.map(({ target, mode, base, path, backing }) => {
    if (path === null) throw new StepFailed(`The backup has no file for ${target}.`);
    return { target, mode, base, path, backing };
  });
