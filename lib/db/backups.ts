/** Backup history with its files and proofs; kept for ever. */
import { and, asc, desc, eq, inArray, sql } from "drizzle-orm";
import { iso, isoOrNull, type Reader } from "./client.ts";
import { backupVerifications, disks, vmBackupDiskMap, vmBackups } from "./schema/index.ts";

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
export async function listRestorePoints(
  db: Reader,
  vmId: string,
  checkpointIds?: readonly string[],
): Promise<Set<string>> {
  return new Set((await readRestoreFiles(db, vmId, checkpointIds)).keys());
}

/** The same, each with the path of its file. `checkpointIds`: of these alone. */
export async function readRestoreFiles(
  db: Reader,
  vmId: string,
  checkpointIds?: readonly string[],
): Promise<Map<string, string>> {
  if (checkpointIds?.length === 0) return new Map();
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
        checkpointIds && inArray(vmBackups.checkpointId, [...checkpointIds]),
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

export async function listRunningBackups(db: Reader, vmId: string) {
  const rows = await db
    .select()
    .from(vmBackups)
    .where(and(eq(vmBackups.vmId, vmId), eq(vmBackups.state, "running")))
    .orderBy(asc(vmBackups.startedAt));
  return withDisks(db, rows);
}
