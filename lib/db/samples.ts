/** Dirty counts over time: lib/decisions/what-is-forgotten.md says how close together. */
import { and, desc, eq, lt, sql } from "drizzle-orm";
import type { DirtyCount } from "../chain/model.ts";
import { iso, type Reader, type Tx } from "./client.ts";
import { keyOf } from "./observed.ts";
import { dirtySamples, disks } from "./schema/index.ts";

/** Within a run and an hour of the clock a bitmap has one row, its newest, unless its count fell. */
const PACE_MS = 3_600_000;
/** Rows in a statement: it takes 65,535 parameters, and two thousand checkpoints on some disks are more. */
const BATCH = 2_000;

/** The newest count of each bitmap that was seen in any other run of the VM than this one. */
export async function readCountsOfEarlierRuns(db: Reader, vmId: string, runtimeId: string): Promise<DirtyCount[]> {
  return await db
    .selectDistinctOn([dirtySamples.diskId, dirtySamples.bitmap, dirtySamples.layerPath], {
      target: disks.target,
      bitmap: dirtySamples.bitmap,
      layerPath: dirtySamples.layerPath,
      dirtyBytes: dirtySamples.dirtyBytes,
      granularity: dirtySamples.granularity,
    })
    .from(dirtySamples)
    .innerJoin(disks, eq(disks.id, dirtySamples.diskId))
    .where(and(eq(dirtySamples.vmId, vmId), sql`${dirtySamples.runtimeId} is distinct from ${runtimeId}`))
    .orderBy(dirtySamples.diskId, dirtySamples.bitmap, dirtySamples.layerPath, desc(dirtySamples.id));
}

type NewestSample = Pick<typeof dirtySamples.$inferSelect, "id" | "dirtyBytes" | "granularity" | "runtimeId">;

/** The newest row of each bitmap, of those written since a time. `most`: how many bitmaps can have one. */
async function readNewest(tx: Tx, vmId: string, since: Date, most: number): Promise<Map<string, NewestSample>> {
  const { id, diskId, bitmap, layerPath, dirtyBytes, granularity, runtimeId, at } = dirtySamples;
  // By id, as they are indexed: `at` moves with each count, and an index of it would have to follow.
  const rows = await tx
    .select({ id, diskId, bitmap, layerPath, dirtyBytes, granularity, runtimeId, at })
    .from(dirtySamples)
    .where(eq(dirtySamples.vmId, vmId))
    .orderBy(desc(id))
    .limit(2 * most);
  const newest = new Map<string, NewestSample>();
  for (const row of rows) {
    const key = keyOf({ target: row.diskId, bitmap: row.bitmap, layerPath: row.layerPath });
    if (row.at >= since && !newest.has(key)) newest.set(key, row);
  }
  return newest;
}

/**
 * Adds to the series what differs from the counts known before. A count that only rose takes the place of the one before
 * it within the hour: a VM that is written to changes all of its bitmaps with every look, which would be millions of rows
 * a day for some hundred VMs. The newest count of each run, which a rewind is found by, is always exact.
 */
export async function saveSamples(
  tx: Tx,
  vmId: string,
  diskIds: Map<string, string>,
  before: DirtyCount[],
  counts: DirtyCount[],
  at: Date,
  runtimeId: string | null,
): Promise<void> {
  const known = new Map(before.map((count) => [keyOf(count), count]));
  const changed = counts.flatMap((count) => {
    const last = known.get(keyOf(count));
    const diskId = diskIds.get(count.target);
    if (!diskId || (last && last.dirtyBytes === count.dirtyBytes && last.granularity === count.granularity)) return [];
    const { bitmap, layerPath, dirtyBytes, granularity } = count;
    return [{ vmId, diskId, bitmap, layerPath, dirtyBytes, granularity, runtimeId, at }];
  });
  if (changed.length === 0) return;
  const hour = new Date(Math.floor(at.getTime() / PACE_MS) * PACE_MS);
  const newest = await readNewest(tx, vmId, hour, counts.length);
  const raised: { id: number; bytes: number }[] = [];
  const added = changed.filter((row) => {
    const last = newest.get(keyOf({ target: row.diskId, bitmap: row.bitmap, layerPath: row.layerPath }));
    const isRise =
      last?.runtimeId === runtimeId && last.granularity === row.granularity && last.dirtyBytes <= row.dirtyBytes;
    if (last && isRise) raised.push({ id: last.id, bytes: row.dirtyBytes });
    return !isRise;
  });
  if (raised.length > 0) {
    await tx.execute(sql`
      update dirty_samples s set dirty_bytes = v.bytes, at = ${at.toISOString()}::timestamptz
      from jsonb_to_recordset(${JSON.stringify(raised)}::jsonb) as v (id bigint, bytes bigint) where s.id = v.id`);
  }
  for (let i = 0; i < added.length; i += BATCH) await tx.insert(dirtySamples).values(added.slice(i, i + BATCH));
}

/** The series of one VM, newest first; `before` is the id of the last row of the page before. */
export async function listSamples(
  db: Reader,
  query: { vmId: string; disk?: string; bitmap?: string; before: number | null; limit: number },
) {
  const filters = and(
    eq(dirtySamples.vmId, query.vmId),
    query.disk === undefined ? undefined : eq(disks.target, query.disk),
    query.bitmap === undefined ? undefined : eq(dirtySamples.bitmap, query.bitmap),
  );
  const rows = await db
    .select({ sample: dirtySamples, target: disks.target })
    .from(dirtySamples)
    .innerJoin(disks, eq(disks.id, dirtySamples.diskId))
    .where(and(filters, query.before === null ? undefined : lt(dirtySamples.id, query.before)))
    .orderBy(desc(dirtySamples.id))
    .limit(query.limit + 1);
  const [count] = await db
    .select({ n: sql<number>`count(*)::int` })
    .from(dirtySamples)
    .innerJoin(disks, eq(disks.id, dirtySamples.diskId))
    .where(filters);
  return {
    items: rows.slice(0, query.limit).map(({ sample, target }) => ({
      id: sample.id,
      disk: target,
      bitmap: sample.bitmap,
      layer: sample.layerPath,
      at: iso(sample.at),
      dirtyBytes: sample.dirtyBytes,
      granularity: sample.granularity,
      runtimeId: sample.runtimeId,
    })),
    more: rows.length > query.limit,
    total: count?.n ?? 0,
  };
}
