/** Which image a disk is taken to be, and what was seen to explain that it becomes another one. */
import { and, eq, inArray, sql } from "drizzle-orm";
import type { ImageIdentity } from "../chain/model.ts";
import type { Reader, Tx } from "./client.ts";
import { disks } from "./schema/index.ts";

const NOT_PROVEN = { moveProvenAt: null, moveProvenHostId: null, moveProvenRun: null };

/** Takes an identity as the disk's own: it was proven, or is the first. Ends a proof of a move. */
export async function acceptIdentity(tx: Tx, diskId: string, hostId: string, identity: ImageIdentity): Promise<void> {
  await tx
    .update(disks)
    .set({ identity, identityHostId: hostId, ...NOT_PROVEN })
    .where(eq(disks.id, diskId));
}

/**
 * A disk was seen to move with its bitmaps while the VM ran on the host; `target` null: all of them, with the VM, whose run
 * there begins with that. One disk moves in the run that is known.
 */
export async function proveMove(
  tx: Reader,
  move: { vmId: string; hostId: string; target: string | null; at: Date },
): Promise<void> {
  const { vmId, hostId, target, at } = move;
  const known = sql`(select p.runtime_id from vm_presence p
    where p.vm_id = ${vmId}::uuid and p.host_id = ${hostId}::uuid and p.power in ('running', 'paused'))`;
  await tx
    .update(disks)
    .set({ moveProvenAt: at, moveProvenHostId: hostId, moveProvenRun: target === null ? null : known })
    .where(and(eq(disks.vmId, vmId), target === null ? undefined : eq(disks.target, target)));
}

/** The run in which disks were seen to move is known now. */
export async function bindMoves(tx: Tx, diskIds: string[], runtimeId: string): Promise<void> {
  if (diskIds.length > 0) await tx.update(disks).set({ moveProvenRun: runtimeId }).where(inArray(disks.id, diskIds));
}

/** The run in which disks were seen to move is over. */
export async function endMoves(tx: Reader, which: { diskIds: string[] } | { vmId: string; hostId: string }) {
  const those =
    "diskIds" in which
      ? inArray(disks.id, which.diskIds)
      : and(eq(disks.vmId, which.vmId), eq(disks.moveProvenHostId, which.hostId));
  await tx.update(disks).set(NOT_PROVEN).where(those);
}
