import type { BackupState } from "#chain/model.ts";

type Backup = {
  checkpointId: string | null;
  kind: "full" | "incremental" | "mixed";
  state: BackupState;
  bytes: number | null;
};
/** What hangs on a checkpoint: the backup that made it a restore point. */
export type BackupTag = { word: string; state: BackupState; bytes: number | null };
export type BackupsByCheckpoint = ReadonlyMap<string, BackupTag>;

const WORDS = { full: "Full", incremental: "Incremental", mixed: "Mixed" } as const;

export function backupsByCheckpoint(backups: readonly Backup[]): BackupsByCheckpoint {
  return new Map(
    backups.flatMap(({ checkpointId, kind, state, bytes }) =>
      checkpointId === null
        ? []
        : [[checkpointId, { word: state === "finished" ? WORDS[kind] : `${WORDS[kind]}, ${state}`, state, bytes }]],
    ),
  );
}
