/** What is written of a backup, from the moment before its host is asked to its proof. Reads are in `backups.ts`. */
import { and, eq, inArray, sql } from "drizzle-orm";
import { iso, type Tx } from "./client.ts";
import { type BACKUP_KINDS, backupVerifications, disks, vmBackupDiskMap, vmBackups } from "./schema/index.ts";

export type BackupDisk = {
  target: string;
  mode: "full" | "incremental";
  base: string | null;
  path: string;
  backing: string | null;
};
type BackupKind = (typeof BACKUP_KINDS)[number];

function kindOf(all: readonly { mode: string }[]): BackupKind {
  const modes = new Set(all.map((disk) => disk.mode));
  return modes.size > 1 ? "mixed" : modes.has("full") ? "full" : "incremental";
}

/** A backup that is about to begin. Its disks are known to the database (`insertCheckpoint` made them so). */
export async function insertBackup(
  tx: Tx,
  backup: { vmId: string; hostId: string; jobId: string; checkpointId: string; disks: BackupDisk[] },
): Promise<string> {
  const { disks: files, ...row } = backup;
  const [made] = await tx
    .insert(vmBackups)
    .values({ ...row, kind: kindOf(files), state: "running", startedAt: sql`now()` })
    .returning({ id: vmBackups.id });
  if (!made) throw new Error("a backup was not stored");
  await saveBackupDisks(tx, made.id, backup.vmId, files);
  return made.id;
}

/** The plan of a backup's files, again: a disk that was to be incremental is taken in full. */
export async function saveBackupDisks(tx: Tx, backupId: string, vmId: string, files: BackupDisk[]): Promise<void> {
  const rows = await tx
    .select({ id: disks.id, target: disks.target })
    .from(disks)
    .where(
      and(
        eq(disks.vmId, vmId),
        inArray(
          disks.target,
          files.map((file) => file.target),
        ),
      ),
    );
  const idOf = new Map(rows.map((row) => [row.target, row.id]));
  for (const { target, mode, base, path, backing } of files) {
    const diskId = idOf.get(target);
    if (!diskId) throw new Error(`the disk ${target} is not known`);
    const values = { mode, baseCheckpointId: base, path, backing };
    await tx
      .insert(vmBackupDiskMap)
      .values({ backupId, diskId, ...values })
      .onConflictDoUpdate({ target: [vmBackupDiskMap.backupId, vmBackupDiskMap.diskId], set: values });
  }
  await tx
    .update(vmBackups)
    .set({ kind: kindOf(files) })
    .where(eq(vmBackups.id, backupId));
}

type FileBytes = { target: string; bytes: number | null };

/** What each file holds so far. */
export async function saveBackupBytes(tx: Tx, backupId: string, vmId: string, files: FileBytes[]): Promise<void> {
  for (const { target, bytes } of files) {
    await tx
      .update(vmBackupDiskMap)
      .set({ bytes })
      .where(
        and(
          eq(vmBackupDiskMap.backupId, backupId),
          sql`${vmBackupDiskMap.diskId} = (select d.id from ${disks} d where d.vm_id = ${vmId}::uuid and d.target = ${target})`,
        ),
      );
  }
}

/** The data is complete: libvirt said so. The backup counts as running until what was written has been read back. */
export async function saveBackupComplete(tx: Tx, backupId: string, vmId: string, files: FileBytes[]): Promise<void> {
  await saveBackupBytes(tx, backupId, vmId, files);
  const known = files.flatMap((file) => (file.bytes === null ? [] : [file.bytes]));
  const bytes = known.length === files.length ? known.reduce((sum, one) => sum + one, 0) : null;
  await tx.update(vmBackups).set({ endedAt: sql`now()`, bytes }).where(eq(vmBackups.id, backupId));
}

/** The digest of a disk's content at that point in time. */
export async function saveBackupDigest(
  tx: Tx,
  backupId: string,
  vmId: string,
  file: { target: string; sha256: string; virtualSize: number | null },
): Promise<void> {
  await tx
    .update(vmBackupDiskMap)
    .set({ sha256: file.sha256, virtualSize: file.virtualSize })
    .where(
      and(
        eq(vmBackupDiskMap.backupId, backupId),
        sql`${vmBackupDiskMap.diskId} = (select d.id from ${disks} d where d.vm_id = ${vmId}::uuid and d.target = ${file.target})`,
      ),
    );
}

/** It has finished, or never will. An end that was written already stays. `checkpointId` null: it made none. */
export async function endBackup(
  tx: Tx,
  backupId: string,
  end: { state: "finished" | "failed" | "aborted"; error: string | null; checkpointId?: null },
): Promise<void> {
  await tx
    .update(vmBackups)
    .set({ ...end, endedAt: sql`coalesce(${vmBackups.endedAt}, now())` })
    .where(and(eq(vmBackups.id, backupId), eq(vmBackups.state, "running")));
}

/** Why a backup that still counts as running will not finish; the first reason stays. */
export async function saveBackupReason(tx: Tx, backupId: string, reason: string): Promise<void> {
  await tx
    .update(vmBackups)
    .set({ error: sql`coalesce(${vmBackups.error}, ${reason})` })
    .where(eq(vmBackups.id, backupId));
}

/** Every backup of the VM that is recorded as running is ended as failed. Returns how many. */
export async function closeBackups(tx: Tx, vmId: string, error: string): Promise<number> {
  const rows = await tx
    .update(vmBackups)
    .set({ state: "failed", error, endedAt: sql`now()` })
    .where(and(eq(vmBackups.vmId, vmId), eq(vmBackups.state, "running")))
    .returning({ id: vmBackups.id });
  return rows.length;
}

/** A restore proof is kept, good or bad. */
export async function insertVerification(
  tx: Tx,
  check: { backupId: string; actor: string; ok: boolean; detail: string; disks: Record<string, unknown>[] },
): Promise<string> {
  const [row] = await tx.insert(backupVerifications).values(check).returning({ at: backupVerifications.at });
  if (!row) throw new Error("a verification was not stored");
  return iso(row.at);
}
