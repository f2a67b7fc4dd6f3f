import type { BackupState } from "#chain/model.ts";

type Backup = {
  id: string;
  checkpointId: string | null;
  kind: "full" | "incremental" | "mixed";
  state: BackupState;
  bytes: number | null;
};
/** What hangs on a checkpoint: the backup that made it a restore point. */
export type BackupTag = { id: string; word: string; state: BackupState; bytes: number | null };
export type BackupsByCheckpoint = ReadonlyMap<string, BackupTag>;

const WORDS = { full: "Full", incremental: "Incremental", mixed: "Mixed" } as const;

export function backupsByCheckpoint(backups: readonly Backup[]): BackupsByCheckpoint {
  return new Map(
    backups.flatMap(({ id, checkpointId, kind, state, bytes }) =>
      checkpointId === null
        ? []
        : [[checkpointId, { id, word: state === "finished" ? WORDS[kind] : `${WORDS[kind]}, ${state}`, state, bytes }]],
    ),
  );
}
