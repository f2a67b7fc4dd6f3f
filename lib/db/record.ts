/** The record: what the database says of a VM's checkpoints. */
import { and, asc, desc, eq, gt, inArray, sql } from "drizzle-orm";
import type { BackupState, RecordCheckpoint, RecordDisk, VmRecord } from "../chain/model.ts";
import { iso, isoOrNull, type Reader, type Tx } from "./client.ts";
import {
  dirtyPeaks,
  disks,
  findingAcknowledgements,
  vmBackups,
  vmCheckpointDiskMap,
  vmCheckpoints,
  vms,
} from "./schema/index.ts";

async function withDisks(
  db: Reader,
  vmId: string,
  rows: (typeof vmCheckpoints.$inferSelect)[],
): Promise<RecordCheckpoint[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.checkpointId);
  const one = ids.length === 1 ? inArray(vmCheckpointDiskMap.checkpointId, ids) : undefined;
  const map = await db
    .select({
      id: vmCheckpointDiskMap.checkpointId,
      target: disks.target,
      granularity: vmCheckpointDiskMap.granularity,
    })
    .from(vmCheckpointDiskMap)
    .innerJoin(disks, eq(disks.id, vmCheckpointDiskMap.diskId))
    .where(and(eq(vmCheckpointDiskMap.vmId, vmId), one))
    .orderBy(asc(disks.target));
  const covered = Map.groupBy(map, (row) => row.id);
  const backups = await db
    .select({ id: vmBackups.checkpointId, state: vmBackups.state })
    .from(vmBackups)
    .where(and(eq(vmBackups.vmId, vmId), sql`${vmBackups.checkpointId} is not null`))
    .orderBy(asc(vmBackups.startedAt), asc(vmBackups.id));
  const backupOf = new Map<string | null, BackupState>(backups.map((row) => [row.id, row.state]));
  return rows.map((row) => ({
    id: row.checkpointId,
    parentId: row.parentId,
    createdAt: iso(row.creationDate),
    sequence: row.sequence,
    state: row.state,
    origin: row.origin,
    disks: (covered.get(row.checkpointId) ?? []).map(({ target, granularity }) => ({ target, granularity })),
    backup: backupOf.get(row.checkpointId) ?? null,
  }));
}

/** The whole record of one VM, in the form that `lib/chain` compares; null when the VM is not known. */
export async function readRecord(db: Reader, vmId: string): Promise<VmRecord | null> {
  const [vm] = await db.select({ revision: vms.revision }).from(vms).where(eq(vms.id, vmId));
  if (!vm) return null;
  const rows = await db
    .select()
    .from(vmCheckpoints)
    .where(eq(vmCheckpoints.vmId, vmId))
    .orderBy(asc(vmCheckpoints.sequence));
  const known = await db.select().from(disks).where(eq(disks.vmId, vmId)).orderBy(asc(disks.target));
  const acks = await db
    .select({ id: findingAcknowledgements.findingId })
    .from(findingAcknowledgements)
    .where(eq(findingAcknowledgements.vmId, vmId));
  return {
    vmId,
    revision: vm.revision,
    checkpoints: await withDisks(db, vmId, rows),
    disks: known.map(
      (disk): RecordDisk => ({
        target: disk.target,
        identity: disk.identity,
        identityHostId: disk.identityHostId,
        firstSeenAt: iso(disk.firstSeenAt),
        retiredAt: isoOrNull(disk.retiredAt),
      }),
    ),
    acknowledged: acks.map((ack) => ack.id),
  };
}

/** The record in the order in which it was written, which is topological: a parent exists before its child. */
export async function listCheckpoints(db: Reader, query: { vmId: string; after: number | null; limit: number }) {
  const rows = await db
    .select()
    .from(vmCheckpoints)
    .where(
      and(
        eq(vmCheckpoints.vmId, query.vmId),
        query.after === null ? undefined : gt(vmCheckpoints.sequence, query.after),
      ),
    )
    .orderBy(asc(vmCheckpoints.sequence))
    .limit(query.limit + 1);
  const [count] = await db
    .select({ n: sql<number>`count(*)::int` })
    .from(vmCheckpoints)
    .where(eq(vmCheckpoints.vmId, query.vmId));
  return {
    items: await withDisks(db, query.vmId, rows.slice(0, query.limit)),
    more: rows.length > query.limit,
    total: count?.n ?? 0,
  };
}

export async function getCheckpoint(db: Reader, vmId: string, checkpointId: string): Promise<RecordCheckpoint | null> {
  const rows = await db
    .select()
    .from(vmCheckpoints)
    .where(and(eq(vmCheckpoints.vmId, vmId), eq(vmCheckpoints.checkpointId, checkpointId)));
  return (await withDisks(db, vmId, rows))[0] ?? null;
}

/** Disks of a VM by target. */
export async function listDisks(db: Reader, vmId: string) {
  const rows = await db.select().from(disks).where(eq(disks.vmId, vmId)).orderBy(asc(disks.target));
  return rows.map((disk) => ({
    id: disk.id,
    target: disk.target,
    source: disk.source,
    format: disk.format,
    virtualSize: disk.virtualSize,
    identity: disk.identity,
    identityHostId: disk.identityHostId,
    moveProof: disk.moveProvenAt && {
      at: iso(disk.moveProvenAt),
      hostId: disk.moveProvenHostId,
      runtimeId: disk.moveProvenRun,
    },
    firstSeenAt: iso(disk.firstSeenAt),
    retiredAt: isoOrNull(disk.retiredAt),
  }));
}

/**
 * Writes one checkpoint and raises the VM's revision. The caller holds the VM's row (`lockVm`) and has checked the
 * parent. Disks that nobody saw yet get a row without an identity. Counts of an earlier bitmap of this name end.
 */
export async function insertCheckpoint(
  tx: Tx,
  checkpoint: {
    vmId: string;
    id: string;
    parentId: string | null;
    createdAt: string;
    disks: string[];
    state: "creating" | "active";
    origin: "driftline" | "adopted" | "registered";
  },
): Promise<void> {
  const { vmId } = checkpoint;
  const [next] = await tx
    .update(vms)
    .set({
      revision: sql`${vms.revision} + 1`,
      lastSequence: sql`${vms.lastSequence} + 1`,
      checkpointCount: sql`${vms.checkpointCount} + 1`,
    })
    .where(eq(vms.id, vmId))
    .returning({ sequence: vms.lastSequence });
  if (!next) throw new Error(`VM ${vmId} is not known`);
  await tx.insert(vmCheckpoints).values({
    vmId,
    checkpointId: checkpoint.id,
    parentId: checkpoint.parentId,
    creationDate: new Date(checkpoint.createdAt),
    sequence: next.sequence,
    state: checkpoint.state,
    origin: checkpoint.origin,
  });
  await tx
    .insert(disks)
    .values(checkpoint.disks.map((target) => ({ vmId, target })))
    .onConflictDoNothing();
  const rows = await tx
    .select({ id: disks.id })
    .from(disks)
    .where(and(eq(disks.vmId, vmId), inArray(disks.target, checkpoint.disks)));
  await tx
    .insert(vmCheckpointDiskMap)
    .values(rows.map((disk) => ({ vmId, checkpointId: checkpoint.id, diskId: disk.id })));
  await tx.delete(dirtyPeaks).where(and(eq(dirtyPeaks.vmId, vmId), eq(dirtyPeaks.bitmap, checkpoint.id)));
  if (checkpoint.state === "active") await expectDisksOf(tx, vmId, checkpoint.id);
}

/** A disk that was retired and is covered by a new base is expected again. */
export async function expectDisksOf(tx: Tx, vmId: string, checkpointId: string): Promise<void> {
  await tx.execute(sql`
    update ${disks} d set retired_at = null from ${vmCheckpointDiskMap} m
    where d.vm_id = ${vmId}::uuid and d.retired_at is not null
      and m.vm_id = d.vm_id and m.disk_id = d.id and m.checkpoint_id = ${checkpointId}`);
}

/** Notes the granularity of bitmaps of which none is noted yet. What is noted stays: it tells a bitmap that was made anew. */
export async function learnGranularities(
  tx: Tx,
  vmId: string,
  seen: { checkpointId: string; diskId: string; granularity: number }[],
): Promise<void> {
  for (let i = 0; i < seen.length; i += 5_000) {
    const rows = JSON.stringify(seen.slice(i, i + 5_000));
    await tx.execute(sql`
      update ${vmCheckpointDiskMap} m set granularity = s.granularity
      from json_to_recordset(${rows}::json) as s("checkpointId" text, "diskId" uuid, granularity bigint)
      where m.vm_id = ${vmId}::uuid and m.checkpoint_id = s."checkpointId" and m.disk_id = s."diskId" and m.granularity is null`);
  }
}

/** The backup that has not ended, if any. */
export async function readRunningBackup(db: Reader, vmId: string) {
  const [row] = await db
    .select({ checkpointId: vmBackups.checkpointId, startedAt: vmBackups.startedAt })
    .from(vmBackups)
    .where(and(eq(vmBackups.vmId, vmId), eq(vmBackups.state, "running")))
    .orderBy(desc(vmBackups.startedAt))
    .limit(1);
  return row ? { checkpointId: row.checkpointId, startedAt: iso(row.startedAt) } : null;
}
