/** A backup job as the API shows it. */
import type { BeginBackupInput, CurrentBackup } from "#contract/agent-operations.ts";
import { readAllocated } from "../backups/files.ts";
import type { BackupNote } from "../backups/note.ts";
import type { BackupLook } from "./ipc.ts";

export const iso = (ms: number): string => new Date(ms).toISOString();

export const NONE: CurrentBackup = {
  state: "none",
  checkpointId: null,
  startedAt: null,
  endedAt: null,
  progress: null,
  disks: [],
  error: null,
};

/** It was refused before it began. */
export function failed({ disks }: BeginBackupInput, error: CurrentBackup["error"]): CurrentBackup {
  const at = iso(Date.now());
  const shown = disks.map(({ target, mode, path }) => ({ target, mode, path, bytes: null }));
  return { ...NONE, state: "failed", endedAt: at, disks: shown, error };
}

/** A job that somebody else began. */
export function foreign({ backup, job }: BackupLook): CurrentBackup {
  return {
    ...NONE,
    state: "running",
    startedAt: job === null ? null : iso(Date.now() - job.elapsedMs),
    progress: job === null ? null : { doneBytes: job.doneBytes ?? 0, totalBytes: job.totalBytes },
    disks: (backup?.disks ?? []).map(({ target, mode, file }) => ({ target, mode, path: file ?? "", bytes: null })),
  };
}

/** Ours, as its note has it. `progress`: of one that runs. */
export async function showNote(note: BackupNote, progress: CurrentBackup["progress"]): Promise<CurrentBackup> {
  const { end, checkpointId } = note;
  const done = end?.doneBytes ?? null;
  return {
    state: end?.state ?? "running",
    checkpointId,
    startedAt: iso(note.askedAt),
    endedAt: end === null ? null : iso(end.at),
    progress: end === null ? progress : done === null ? null : { doneBytes: done, totalBytes: note.totalBytes },
    disks: await Promise.all(
      note.disks.map(async ({ target, mode, path, real }) => ({
        target,
        mode,
        path,
        bytes: await readAllocated(real),
      })),
    ),
    error: end?.error ?? null,
  };
}
