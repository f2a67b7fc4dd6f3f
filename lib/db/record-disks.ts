/** Which disks checkpoints cover, and which images are the disks'. The caller holds the VM's row; see `record-changes.ts`. */
import { and, eq, inArray, isNull, sql } from "drizzle-orm";
import type { ImageIdentity } from "../chain/model.ts";
import type { Tx } from "./client.ts";
import { acceptIdentity } from "./identities.ts";
import { changed } from "./record-changes.ts";
import { dirtyPeaks, disks, vmCheckpointDiskMap } from "./schema/index.ts";

/** Checkpoints stop covering disks. */
export async function dropDisks(
  tx: Tx,
  vmId: string,
  items: { checkpointId: string; disk: string }[],
): Promise<number> {
  let dropped = 0;
  for (const [target, of] of Map.groupBy(items, (item) => item.disk)) {
    const rows = await tx
      .delete(vmCheckpointDiskMap)
      .where(
        and(
          eq(vmCheckpointDiskMap.vmId, vmId),
          inArray(
            vmCheckpointDiskMap.checkpointId,
            of.map((item) => item.checkpointId),
          ),
          sql`${vmCheckpointDiskMap.diskId} = (select d.id from ${disks} d where d.vm_id = ${vmId}::uuid and d.target = ${target})`,
        ),
      )
      .returning({ id: vmCheckpointDiskMap.checkpointId });
    dropped += rows.length;
  }
  return changed(tx, vmId, dropped);
}

/**
 * The images as they were last observed are the disks' images from here on. Their counts start anew: a rewind was
 * found by comparing with what another image had, and that comparison ends.
 */
export async function acceptImages(
  tx: Tx,
  vmId: string,
  images: { diskId: string; hostId: string; identity: ImageIdentity }[],
): Promise<number> {
  for (const { diskId, hostId, identity } of images) {
    await acceptIdentity(tx, diskId, hostId, identity);
    await tx.delete(dirtyPeaks).where(eq(dirtyPeaks.diskId, diskId));
  }
  return changed(tx, vmId, images.length);
}

/** Nobody expects them any more. */
export async function retireDisks(tx: Tx, vmId: string, targets: string[]): Promise<number> {
  if (targets.length === 0) return 0;
  // One that the record names and that no host ever showed has no row of its own yet.
  await tx
    .insert(disks)
    .values(targets.map((target) => ({ vmId, target })))
    .onConflictDoNothing();
  const rows = await tx
    .update(disks)
    .set({ retiredAt: sql`now()` })
    .where(and(eq(disks.vmId, vmId), inArray(disks.target, targets), isNull(disks.retiredAt)))
    .returning({ id: disks.id });
  return changed(tx, vmId, rows.length);
}
