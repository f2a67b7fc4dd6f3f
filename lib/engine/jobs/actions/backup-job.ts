/** What the parts of a backup share: its rows, its files, and the one question to the host. */
import type { PlanAction } from "#chain/plan/model.ts";
import type { CurrentBackup } from "#contract/agent-operations.ts";
import { type BackupDisk, type findBackupOf, getHost } from "#db/index.ts";
import { StepFailed, TryAgain, UnknownToHost } from "../failure.ts";
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

/** The same run, asking the host on which the files are: the VM may have moved since. null: it is not watched any more. */
export function atItsHost(run: JobRun, made: RunningBackup): JobRun | null {
  const { hostId } = made;
  const host = hostId === null || hostId === run.host.id ? run.host : run.engine.hosts.get(hostId);
  return host ? { ...run, host } : null;
}

/**
 * Removes its files where they were written. null: all are gone; else which stay where, in words: a host that is not the
 * VM's any more and does not answer must not hold up what is to be put right where the VM is.
 */
export async function discard(run: JobRun, made: RunningBackup): Promise<string | null> {
  const paths = made.disks.flatMap((disk) => disk.path ?? []);
  if (paths.length === 0) return null;
  const there = atItsHost(run, made);
  const stay = (where: string, why: string) => `Its files stay on ${where}, ${why}: ${paths.join(", ")}.`;
  if (!there) {
    const host = made.hostId === null ? null : await getHost(run.engine.db.orm, made.hostId);
    return stay(host?.name ?? "a host that is not known any more", "which is not watched any more");
  }
  try {
    await callHost(there, ANSWER_MS, (api, options) => api.discardFiles({ paths }, options));
    return null;
  } catch (error) {
    const isGivenUp = error instanceof StepFailed || (error instanceof TryAgain && error.isLost);
    if (there.host.id === run.host.id || !isGivenUp) throw error;
    return stay(there.host.name, `which said: ${error.message.replace(/\.$/, "")}`);
  }
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
