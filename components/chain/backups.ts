import type { BackupState } from "#chain/model.ts";

type Checkpoint = { id: string; backup: BackupState | null };
type Backup = {
  id: string;
  checkpointId: string | null;
  kind: "full" | "incremental" | "mixed";
  state: BackupState;
  bytes: number | null;
};
/** What hangs on a checkpoint: the backup that made it a restore point. `id` null: only its state is known here. */
export type BackupTag = { id: string | null; word: string; state: BackupState; bytes: number | null };
export type BackupsByCheckpoint = ReadonlyMap<string, BackupTag>;

const WORDS = { full: "Full", incremental: "Incremental", mixed: "Mixed" } as const;

/** The record says of every checkpoint whether it has a backup; of the newest ones `backups` tell kind and size too. */
export function backupsByCheckpoint(
  checkpoints: readonly Checkpoint[],
  backups: readonly Backup[],
): BackupsByCheckpoint {
  const tags = new Map<string, BackupTag>();
  for (const { id, backup } of checkpoints) {
    if (backup !== null) tags.set(id, { id: null, word: stateWord(backup), state: backup, bytes: null });
  }
  for (const { id, checkpointId, kind, state, bytes } of backups) {
    if (checkpointId === null) continue;
    tags.set(checkpointId, { id, word: state === "finished" ? WORDS[kind] : `${WORDS[kind]}, ${state}`, state, bytes });
  }
  return tags;
}

const stateWord = (state: BackupState): string => (state === "finished" ? "Backed up" : `Backup ${state}`);
