/** Disks and image identities as they were observed, and the dirty counts that can be trusted. */
import { and, asc, desc, eq, sql } from "drizzle-orm";
import type { DirtyCount, DirtySample, DiskObservation, ImageIdentity } from "../chain/model.ts";
import { iso, type Reader, type Tx } from "./client.ts";
import { dirtyPeaks, disks, identitySamples } from "./schema/index.ts";

/** Brings the disks up to what a host shows. New targets get a row; those that are gone keep theirs. */
export async function saveDisks(
  tx: Tx,
  vmId: string,
  at: Date,
  observed: DiskObservation[],
): Promise<Map<string, string>> {
  if (observed.length > 0) {
    await tx
      .insert(disks)
      .values(
        observed.map((disk) => ({
          vmId,
          target: disk.target,
          source: disk.source,
          format: disk.format,
          virtualSize: disk.virtualSize,
          firstSeenAt: at,
          lastSeenAt: at,
        })),
      )
      .onConflictDoUpdate({
        target: [disks.vmId, disks.target],
        set: {
          source: sql`excluded.source`,
          format: sql`excluded.format`,
          virtualSize: sql`coalesce(excluded.virtual_size, ${disks.virtualSize})`,
          lastSeenAt: sql`excluded.last_seen_at`,
        },
      });
  }
  const rows = await tx.select({ id: disks.id, target: disks.target }).from(disks).where(eq(disks.vmId, vmId));
  return new Map(rows.map((row) => [row.target, row.id]));
}

const same = (a: ImageIdentity | null | undefined, b: ImageIdentity): boolean =>
  !!a && a.path === b.path && a.device === b.device && a.inode === b.inode && a.size === b.size;

/** One row in the identity series when the newest one of this disk on this host says something else. */
export async function saveIdentitySample(
  tx: Tx,
  sample: { vmId: string; diskId: string; hostId: string; identity: ImageIdentity; at: Date },
) {
  const [last] = await tx
    .select({ identity: identitySamples.identity })
    .from(identitySamples)
    .where(and(eq(identitySamples.diskId, sample.diskId), eq(identitySamples.hostId, sample.hostId)))
    .orderBy(desc(identitySamples.id))
    .limit(1);
  if (!same(last?.identity, sample.identity)) await tx.insert(identitySamples).values(sample);
}

/** One bitmap in one image of one disk. */
export const keyOf = (count: { target: string; bitmap: string; layerPath: string }) =>
  JSON.stringify([count.target, count.bitmap, count.layerPath]);

/** The highest counts that could be trusted so far, one per disk, bitmap and layer. */
export async function readPeaks(db: Reader, vmId: string): Promise<DirtySample[]> {
  const rows = await db
    .select({ peak: dirtyPeaks, target: disks.target })
    .from(dirtyPeaks)
    .innerJoin(disks, eq(disks.id, dirtyPeaks.diskId))
    .where(eq(dirtyPeaks.vmId, vmId))
    .orderBy(asc(disks.target), asc(dirtyPeaks.bitmap), asc(dirtyPeaks.layerPath));
  return rows.map(({ peak, target }) => ({
    target,
    bitmap: peak.bitmap,
    layerPath: peak.layerPath,
    dirtyBytes: peak.dirtyBytes,
    granularity: peak.granularity,
    at: iso(peak.at),
    runtimeId: peak.runtimeId,
  }));
}

/** Raises the peaks to these counts. A different granularity starts a new one: such counts do not compare. */
export async function raisePeaks(
  tx: Tx,
  vmId: string,
  diskIds: Map<string, string>,
  counts: DirtyCount[],
  at: Date,
  runtimeId: string | null,
): Promise<void> {
  const rows = [...new Map(counts.map((count) => [keyOf(count), count])).values()].flatMap((count) => {
    const diskId = diskIds.get(count.target);
    const { bitmap, layerPath, dirtyBytes, granularity } = count;
    return diskId ? [{ vmId, diskId, bitmap, layerPath, dirtyBytes, granularity, runtimeId, at }] : [];
  });
  // A statement takes 65,535 parameters: two thousand checkpoints on some disks are more.
  for (let i = 0; i < rows.length; i += 2_000) {
    await tx
      .insert(dirtyPeaks)
      .values(rows.slice(i, i + 2_000))
      .onConflictDoUpdate({
        target: [dirtyPeaks.diskId, dirtyPeaks.bitmap, dirtyPeaks.layerPath],
        set: {
          dirtyBytes: sql`excluded.dirty_bytes`,
          granularity: sql`excluded.granularity`,
          runtimeId: sql`excluded.runtime_id`,
          at: sql`excluded.at`,
        },
        setWhere: sql`excluded.granularity <> ${dirtyPeaks.granularity} or excluded.dirty_bytes > ${dirtyPeaks.dirtyBytes}`,
      });
  }
}

/**
 * Ends the counts of images that left a disk's chain while the bitmap goes on in another of its images: a snapshot was
 * committed. The next one may get the same path, and its bitmaps start at zero.
 */
export async function endPeaks(
  tx: Tx,
  vmId: string,
  diskIds: Map<string, string>,
  ended: { target: string; bitmap: string; layerPath: string }[],
): Promise<void> {
  for (const { target, bitmap, layerPath } of ended) {
    const diskId = diskIds.get(target);
    if (!diskId) continue;
    await tx
      .delete(dirtyPeaks)
      .where(
        and(
          eq(dirtyPeaks.vmId, vmId),
          eq(dirtyPeaks.diskId, diskId),
          eq(dirtyPeaks.bitmap, bitmap),
          eq(dirtyPeaks.layerPath, layerPath),
        ),
      );
  }
}
