/**
 * Changes of the record. The caller holds the VM's row (`lockVm`). Each may be made again: what is so already is left,
 * and the VM's revision grows only when something changed. They return how many rows changed.
 */
import { and, eq, inArray, isNull, sql } from "drizzle-orm";
import type { ImageIdentity } from "../chain/model.ts";
import { orderCheckpoints } from "../chain/order.ts";
import type { CheckpointDefinition } from "../chain/plan/model.ts";
import type { Reader, Tx } from "./client.ts";
import { acceptIdentity } from "./observed.ts";
import { insertCheckpoint } from "./record.ts";
import { dirtyPeaks, disks, findingAcknowledgements, vmCheckpointDiskMap, vmCheckpoints, vms } from "./schema/index.ts";

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

async function changed(tx: Tx, vmId: string, rows: number): Promise<number> {
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

async function readParents(tx: Tx, vmId: string): Promise<Map<string, { parentId: string | null; sequence: number }>> {
  const rows = await tx
    .select({ id: vmCheckpoints.checkpointId, parentId: vmCheckpoints.parentId, sequence: vmCheckpoints.sequence })
    .from(vmCheckpoints)
    .where(eq(vmCheckpoints.vmId, vmId));
  return new Map(rows.map(({ id, ...row }) => [id, row]));
}

/** The rows go; children are linked to the nearest ancestor that stays and keep their places. */
export async function deleteCheckpoints(tx: Tx, vmId: string, ids: string[]): Promise<number> {
  const parents = await readParents(tx, vmId);
  const going = new Set(ids.filter((id) => parents.has(id)));
  if (going.size === 0) return 0;
  for (const [id, { parentId }] of parents) {
    if (going.has(id) || parentId === null || !going.has(parentId)) continue;
    const heir = nearestStaying(parents, going, parentId);
    await tx
      .update(vmCheckpoints)
      .set({ parentId: heir })
      .where(and(eq(vmCheckpoints.vmId, vmId), eq(vmCheckpoints.checkpointId, id)));
  }
  await tx
    .delete(vmCheckpoints)
    .where(and(eq(vmCheckpoints.vmId, vmId), inArray(vmCheckpoints.checkpointId, [...going])));
  await tx
    .update(vms)
    .set({ checkpointCount: sql`(select count(*)::int from ${vmCheckpoints} c where c.vm_id = ${vmId}::uuid)` })
    .where(eq(vms.id, vmId));
  return changed(tx, vmId, going.size);
}

/** null also where the ancestors form a circle. */
function nearestStaying(
  parents: ReadonlyMap<string, { parentId: string | null }>,
  going: ReadonlySet<string>,
  from: string,
): string | null {
  const seen = new Set<string>();
  let at: string | null = from;
  while (at !== null && going.has(at) && !seen.has(at)) {
    seen.add(at);
    at = parents.get(at)?.parentId ?? null;
  }
  return at !== null && seen.has(at) ? null : at;
}

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

/** Takes checkpoints of other owners in, parents first, at the places of their age. @throws RecordRefusal when a parent is not recorded */
export async function adoptCheckpoints(tx: Tx, vmId: string, adopted: CheckpointDefinition[]): Promise<number> {
  const known = await readParents(tx, vmId);
  let made = 0;
  for (const one of adopted) {
    if (known.has(one.id)) continue;
    if (one.parentId !== null && !known.has(one.parentId))
      throw new RecordRefusal(`The parent ${one.parentId} of ${one.id} is not recorded.`);
    await insertCheckpoint(tx, { vmId, ...one, state: "active", origin: "adopted" });
    known.set(one.id, { parentId: one.parentId, sequence: 0 });
    made += 1;
  }
  if (made > 0) await orderByAge(tx, vmId);
  return made;
}

/** New places for all, in the order of age and parents first: an adopted old one does not become the newest. */
async function orderByAge(tx: Tx, vmId: string): Promise<void> {
  const rows = await tx
    .select({
      id: vmCheckpoints.checkpointId,
      parentId: vmCheckpoints.parentId,
      createdAt: vmCheckpoints.creationDate,
      last: vms.lastSequence,
    })
    .from(vmCheckpoints)
    .innerJoin(vms, eq(vms.id, vmCheckpoints.vmId))
    .where(eq(vmCheckpoints.vmId, vmId));
  const aged = rows.map(({ id, parentId, createdAt }) => ({ id, parentId, createdAt: createdAt.toISOString() }));
  const { ordered } = orderCheckpoints(aged, { byAge: true });
  const last = rows[0]?.last ?? 0;
  const ids = ordered.map((item) => item.id);
  await tx.execute(sql`
    update vm_checkpoints c set sequence = ${last} + p.place
    from unnest(${sql.param(ids)}::text[]) with ordinality as p(id, place)
    where c.vm_id = ${vmId}::uuid and c.checkpoint_id = p.id`);
  await tx
    .update(vms)
    .set({ lastSequence: last + ids.length })
    .where(eq(vms.id, vmId));
}

/**
 * Gives checkpoints other parents. Descendants of a parent that was recorded after them get new places behind it:
 * the order of recording stays an order of parents before children.
 * @throws RecordRefusal: a parent that is not recorded, or the result would be a circle
 */
export async function relinkCheckpoints(
  tx: Tx,
  vmId: string,
  items: { checkpointId: string; parentId: string | null }[],
): Promise<number> {
  const links = await readParents(tx, vmId);
  const moved: string[] = [];
  for (const { checkpointId, parentId } of items) {
    const link = links.get(checkpointId);
    if (!link) continue;
    if (parentId !== null && !links.has(parentId))
      throw new RecordRefusal(`The parent ${parentId} of ${checkpointId} is not recorded.`);
    if (link.parentId === parentId) continue;
    link.parentId = parentId;
    moved.push(checkpointId);
  }
  for (const id of moved) if (isInCircle(links, id)) throw new RecordRefusal(`${id} would be its own ancestor.`);
  for (const id of moved)
    await tx
      .update(vmCheckpoints)
      .set({ parentId: links.get(id)?.parentId ?? null })
      .where(and(eq(vmCheckpoints.vmId, vmId), eq(vmCheckpoints.checkpointId, id)));
  if (moved.length > 0) await putBehindParents(tx, vmId, links);
  return changed(tx, vmId, moved.length);
}

function isInCircle(links: ReadonlyMap<string, { parentId: string | null }>, id: string): boolean {
  const seen = new Set<string>();
  for (let at: string | null = id; at !== null; at = links.get(at)?.parentId ?? null) {
    if (seen.has(at)) return true;
    seen.add(at);
  }
  return false;
}

/** New places, at the end, for those that stand before their parents. */
async function putBehindParents(
  tx: Tx,
  vmId: string,
  links: Map<string, { parentId: string | null; sequence: number }>,
): Promise<void> {
  const children = Map.groupBy(links.keys(), (id) => links.get(id)?.parentId ?? null);
  const queue = [...(children.get(null) ?? [])];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const link = links.get(next);
    if (!link) continue;
    const parent = link.parentId === null ? null : links.get(link.parentId);
    if (parent && parent.sequence > link.sequence) {
      const [row] = await tx
        .update(vms)
        .set({ lastSequence: sql`${vms.lastSequence} + 1` })
        .where(eq(vms.id, vmId))
        .returning({ sequence: vms.lastSequence });
      if (!row) return;
      link.sequence = row.sequence;
      await tx
        .update(vmCheckpoints)
        .set({ sequence: row.sequence })
        .where(and(eq(vmCheckpoints.vmId, vmId), eq(vmCheckpoints.checkpointId, next)));
    }
    queue.push(...(children.get(next) ?? []));
  }
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
