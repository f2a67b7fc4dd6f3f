/**
 * Changes of the record. The caller holds the VM's row (`lockVm`). Each may be made again: what is so already is left,
 * and the VM's revision grows only when something changed. They return how many rows changed.
 */
import { and, eq, inArray, sql } from "drizzle-orm";
import type { Reader, Tx } from "./client.ts";
import { expectDisksOf } from "./record.ts";
import { findingAcknowledgements, vmCheckpoints, vms } from "./schema/index.ts";

/** The record cannot be changed like this, whoever tries and whenever. */
export class RecordRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RecordRefusal";
  }
}

export async function raiseRevision(tx: Tx, vmId: string): Promise<number> {
  const [row] = await tx
    .update(vms)
    .set({ revision: sql`${vms.revision} + 1` })
    .where(eq(vms.id, vmId))
    .returning({ revision: vms.revision });
  return row?.revision ?? 0;
}

/** Raises the revision when rows changed. Returns how many. */
export async function changed(tx: Tx, vmId: string, rows: number): Promise<number> {
  if (rows > 0) await raiseRevision(tx, vmId);
  return rows;
}

/** From here on they are no base, whatever happens. */
export async function markDeleting(tx: Tx, vmId: string, ids: string[]): Promise<number> {
  const rows = await tx
    .update(vmCheckpoints)
    .set({ state: "deleting" })
    .where(
      and(
        eq(vmCheckpoints.vmId, vmId),
        inArray(vmCheckpoints.checkpointId, ids),
        sql`${vmCheckpoints.state} <> 'deleting'`,
      ),
    )
    .returning({ id: vmCheckpoints.checkpointId });
  return changed(tx, vmId, rows.length);
}

/** A person accepts findings. */
export async function acknowledgeFindings(
  tx: Tx,
  vmId: string,
  findingIds: string[],
  by: { actor: string; reason: string | null },
): Promise<number> {
  if (findingIds.length === 0) return 0;
  const [vm] = await tx.select({ revision: vms.revision }).from(vms).where(eq(vms.id, vmId));
  const revision = (vm?.revision ?? 0) + 1;
  const rows = await tx
    .insert(findingAcknowledgements)
    .values(findingIds.map((findingId) => ({ vmId, findingId, ...by, revision })))
    .onConflictDoNothing()
    .returning({ id: findingAcknowledgements.findingId });
  return changed(tx, vmId, rows.length);
}

/** The backup that makes it has finished: it is a base from here on. `createdAt` is libvirt's own time. */
export async function activateCheckpoint(tx: Tx, vmId: string, id: string, createdAt: string): Promise<number> {
  const rows = await tx
    .update(vmCheckpoints)
    .set({ state: "active", creationDate: new Date(createdAt) })
    .where(and(eq(vmCheckpoints.vmId, vmId), eq(vmCheckpoints.checkpointId, id), eq(vmCheckpoints.state, "creating")))
    .returning({ id: vmCheckpoints.checkpointId });
  if (rows.length > 0) await expectDisksOf(tx, vmId, id);
  return changed(tx, vmId, rows.length);
}

/** VMs with rows between two states and no job that works on them, for the clean-up; and running backups likewise. */
export async function listLeftovers(db: Reader, limit: number): Promise<string[]> {
  const rows = await db.execute<{ vm_id: string }>(sql`
    select v.id as vm_id from vms v
    where (exists (select 1 from vm_checkpoints c where c.vm_id = v.id and c.state in ('creating', 'deleting'))
        or exists (select 1 from vm_backups b where b.vm_id = v.id and b.state = 'running' and b.job_id is not null))
      and not exists (select 1 from jobs j where j.vm_id = v.id and j.state in ('queued', 'running'))
    order by v.id limit ${limit}`);
  return rows.rows.map((row) => row.vm_id);
}

/** Checkpoints of a VM that are between two states. */
export async function listUnsettled(db: Reader, vmId: string) {
  return db
    .select({ id: vmCheckpoints.checkpointId, state: vmCheckpoints.state })
    .from(vmCheckpoints)
    .where(and(eq(vmCheckpoints.vmId, vmId), sql`${vmCheckpoints.state} <> 'active'`))
    .orderBy(vmCheckpoints.sequence);
}
