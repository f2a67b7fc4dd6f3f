/** Backup history with its files and proofs; kept for ever. */
import { and, asc, desc, eq, inArray, sql } from "drizzle-orm";
import { iso, isoOrNull, type Reader, type Tx } from "./client.ts";
import { type BACKUP_KINDS, backupVerifications, disks, vmBackupDiskMap, vmBackups } from "./schema/index.ts";

type BackupRow = typeof vmBackups.$inferSelect;

/** Their files, by disk, and the newest verification of each. */
async function withDisks(db: Reader, rows: BackupRow[]) {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const files = await db
    .select({ file: vmBackupDiskMap, target: disks.target })
    .from(vmBackupDiskMap)
    .innerJoin(disks, eq(disks.id, vmBackupDiskMap.diskId))
    .where(inArray(vmBackupDiskMap.backupId, ids))
    .orderBy(asc(disks.target));
  const checks = await db
    .selectDistinctOn([backupVerifications.backupId])
    .from(backupVerifications)
    .where(inArray(backupVerifications.backupId, ids))
    .orderBy(backupVerifications.backupId, desc(backupVerifications.at));
  const filesOf = Map.groupBy(files, (row) => row.file.backupId);
  const checkOf = new Map(checks.map((check) => [check.backupId, check]));
  return rows.map((row) => {
    const check = checkOf.get(row.id);
    return {
      id: row.id,
      vmId: row.vmId,
      jobId: row.jobId,
      hostId: row.hostId,
      checkpointId: row.checkpointId,
      kind: row.kind,
      state: row.state,
      startedAt: iso(row.startedAt),
      endedAt: isoOrNull(row.endedAt),
      bytes: row.bytes,
      error: row.error,
      disks: (filesOf.get(row.id) ?? []).map(({ file, target }) => ({
        target,
        mode: file.mode === "full" ? ("full" as const) : ("incremental" as const),
        base: file.baseCheckpointId,
        path: file.path,
        backing: file.backing,
        bytes: file.bytes,
        sha256: file.sha256,
      })),
      verified: check ? { at: iso(check.at), ok: check.ok, detail: check.detail } : null,
    };
  });
}

/** Backups, newest first; `before` are start and id of the last row of the page before. */
export async function listBackups(
  db: Reader,
  query: { vmId: string; before: { startedAt: string; id: string } | null; limit: number },
) {
  const before = query.before
    ? sql`(${vmBackups.startedAt}, ${vmBackups.id}) < (${query.before.startedAt}::timestamptz, ${query.before.id}::uuid)`
    : undefined;
  const rows = await db
    .select()
    .from(vmBackups)
    .where(and(eq(vmBackups.vmId, query.vmId), before))
    .orderBy(desc(vmBackups.startedAt), desc(vmBackups.id))
    .limit(query.limit + 1);
  const [count] = await db
    .select({ n: sql<number>`count(*)::int` })
    .from(vmBackups)
    .where(eq(vmBackups.vmId, query.vmId));
  return {
    items: await withDisks(db, rows.slice(0, query.limit)),
    more: rows.length > query.limit,
    total: count?.n ?? 0,
  };
}

export async function getBackup(db: Reader, backupId: string) {
  const rows = await db.select().from(vmBackups).where(eq(vmBackups.id, backupId));
  return (await withDisks(db, rows))[0] ?? null;
}

/** The points of a VM that an increment can be put on, as `checkpoint|disk`: finished, and with a file of that disk. */
export async function listRestorePoints(db: Reader, vmId: string): Promise<Set<string>> {
  return new Set((await readRestoreFiles(db, vmId)).keys());
}

/** The same, each with the path of its file. */
export async function readRestoreFiles(db: Reader, vmId: string): Promise<Map<string, string>> {
  const rows = await db
    .select({ checkpointId: vmBackups.checkpointId, target: disks.target, path: vmBackupDiskMap.path })
    .from(vmBackups)
    .innerJoin(vmBackupDiskMap, eq(vmBackupDiskMap.backupId, vmBackups.id))
    .innerJoin(disks, eq(disks.id, vmBackupDiskMap.diskId))
    .where(
      and(
        eq(vmBackups.vmId, vmId),
        eq(vmBackups.state, "finished"),
        sql`${vmBackups.checkpointId} is not null and ${vmBackupDiskMap.path} is not null`,
      ),
    )
    .orderBy(asc(vmBackups.startedAt));
  return new Map(rows.map((row) => [`${row.checkpointId}|${row.target}`, row.path ?? ""]));
}

/** The file on which an increment over a checkpoint is put; null: there is none. The newest, where several were made. */
export async function findRestorePoint(
  db: Reader,
  vmId: string,
  checkpointId: string,
  target: string,
): Promise<string | null> {
  const [row] = await db
    .select({ path: vmBackupDiskMap.path })
    .from(vmBackups)
    .innerJoin(vmBackupDiskMap, eq(vmBackupDiskMap.backupId, vmBackups.id))
    .innerJoin(disks, eq(disks.id, vmBackupDiskMap.diskId))
    .where(
      and(
        eq(vmBackups.vmId, vmId),
        eq(vmBackups.checkpointId, checkpointId),
        eq(vmBackups.state, "finished"),
        eq(disks.target, target),
        sql`${vmBackupDiskMap.path} is not null`,
      ),
    )
    .orderBy(desc(vmBackups.startedAt))
    .limit(1);
  return row?.path ?? null;
}

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

/** The newest backup that made a checkpoint, with its files; null: none did. */
export async function findBackupOf(db: Reader, vmId: string, checkpointId: string) {
  const rows = await db
    .select()
    .from(vmBackups)
    .where(and(eq(vmBackups.vmId, vmId), eq(vmBackups.checkpointId, checkpointId)))
    .orderBy(desc(vmBackups.startedAt))
    .limit(1);
  return (await withDisks(db, rows))[0] ?? null;
}

/** The data is complete: libvirt said so. The backup counts as running until what was written has been read back. */
export async function saveBackupComplete(
  tx: Tx,
  backupId: string,
  vmId: string,
  files: { target: string; bytes: number | null }[],
): Promise<void> {
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

/** It has finished, or never will. An end that was written already stays. */
export async function endBackup(
  tx: Tx,
  backupId: string,
  end: { state: "finished" | "failed" | "aborted"; error: string | null },
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

export async function listRunningBackups(db: Reader, vmId: string) {
  const rows = await db
    .select()
    .from(vmBackups)
    .where(and(eq(vmBackups.vmId, vmId), eq(vmBackups.state, "running")))
    .orderBy(asc(vmBackups.startedAt));
  return withDisks(db, rows);
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
