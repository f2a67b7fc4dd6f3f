/** Which checkpoints are recorded, and how they hang together. The caller holds the VM's row; see `record-changes.ts`. */
import { and, eq, gt, inArray, sql } from "drizzle-orm";
import { orderCheckpoints } from "../chain/order.ts";
import type { CheckpointDefinition } from "../chain/plan/model.ts";
import type { Tx } from "./client.ts";
import { insertCheckpoint } from "./record.ts";
import { changed, RecordRefusal } from "./record-changes.ts";
import { vmCheckpoints, vms } from "./schema/index.ts";

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

/** Another manager's checkpoint, at the place of its age. The caller has checked that its parent is recorded. */
export async function insertRegistered(
  tx: Tx,
  vmId: string,
  one: Omit<Parameters<typeof insertCheckpoint>[1], "vmId" | "state" | "origin">,
): Promise<void> {
  const createdAt = new Date(one.createdAt);
  const [younger] = await tx
    .select({ id: vmCheckpoints.checkpointId })
    .from(vmCheckpoints)
    .where(and(eq(vmCheckpoints.vmId, vmId), gt(vmCheckpoints.creationDate, createdAt)))
    .limit(1);
  await insertCheckpoint(tx, { vmId, ...one, state: "active", origin: "registered" });
  if (younger) await orderByAge(tx, vmId);
}

/** New places for all, in the order of age and parents first: an old one that is recorded late does not become the newest. */
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
