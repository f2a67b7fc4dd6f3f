import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshnessOf } from "#chain/axes.ts";
import { AGREEMENTS, FRESHNESSES, NEXT_BACKUPS } from "#chain/model.ts";
import type { VmRow } from "#contract/engine-vms.ts";
import { FLEET_SORTS, getFleetRow } from "#db/index.ts";
import type { Engine } from "./state.ts";
import { call, openRig, type Rig } from "./testing/rig.ts";

const VMS = 10_000;
const HOSTS = 20;

let rig: Rig;
let engine: Engine;
beforeAll(async () => {
  rig = await openRig();
  const url = await rig.newDatabase();
  engine = await rig.newEngine(url, []);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // A fleet in every state, with many equal names and times so that only the id tells rows apart.
  await client.query(`
    insert into hosts (name, url, state, configured)
      select 'host-' || n, 'unix:/nowhere/' || n, (array['online', 'online', 'online', 'degraded', 'offline'])[1 + n % 5], true from generate_series(1, ${HOSTS}) n;
    insert into vms (id, name, host_id, power, observed_at, tried_at, agreement, next_backup, kinds, kind_names, severity_rank, checkpoint_count, disk_count)
      select gen_random_uuid(), 'vm-' || (n % 3000), h.id, 'running',
        now() - make_interval(secs => (n % 7) * 2000), now(),
        (array['agrees', 'differs', 'unknown'])[1 + n % 3], (array['incremental', 'full', 'mixed', 'blocked', 'unknown'])[1 + n % 5],
        case when n % 3 = 1 then '[{"kind":"bitmap.missing","severity":"full","count":2},{"kind":"bitmap.unknown","severity":"waste","count":1}]'::jsonb else '[]' end,
        case when n % 3 = 1 then array['bitmap.missing', 'bitmap.unknown'] else '{}' end,
        case when n % 3 = 1 then 2 else 99 end, n % 40, 2
      from generate_series(1, ${VMS}) n join lateral (select id from hosts order by name offset (n % ${HOSTS}) limit 1) h on true;
    analyze`);
  await client.end();
});
afterAll(() => rig.close());

type List = {
  items: VmRow[];
  nextCursor: string | null;
  total: number;
  counts: Record<string, Record<string, number>>;
};
async function list(query: Record<string, string>): Promise<List> {
  const answer = await call(engine, "GET", `/vms?${new URLSearchParams(query)}`);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body as List;
}
async function listAll(query: Record<string, string>): Promise<VmRow[]> {
  const rows: VmRow[] = [];
  let cursor: string | null = null;
  do {
    const page: List = await list({ ...query, limit: "200", ...(cursor ? { cursor } : {}) });
    rows.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor);
  return rows;
}

test.each(FLEET_SORTS)("paging by %s gives every VM exactly once", async (sort) => {
  const rows = await listAll({ sort });
  expect(rows).toHaveLength(VMS);
  expect(new Set(rows.map((row) => row.id)).size).toBe(VMS);
});

test("the order is the one that was asked for", async () => {
  const names = (await listAll({ sort: "-name", q: "vm-29" })).map((row) => row.name);
  expect(names).toEqual([...names].sort().reverse());
  const counts = (await listAll({ sort: "checkpoints", agreement: "differs" })).map((row) => row.checkpoints);
  expect(counts).toEqual([...counts].sort((a, b) => a - b));
});

test("counts along each axis equal the rows that a filter on it gives", async () => {
  const filters: Record<string, string>[] = [{}, { q: "vm-1" }, { nextBackup: "full" }, { kind: "bitmap.missing" }];
  for (const filter of filters) {
    const { counts } = await list({ ...filter, limit: "1" });
    for (const [axis, words] of [
      ["agreement", AGREEMENTS],
      ["nextBackup", NEXT_BACKUPS],
      ["freshness", FRESHNESSES],
    ] as const) {
      for (const word of words) {
        const { total } = await list({ ...filter, [axis]: word, limit: "1" });
        expect({ axis, word, total }).toEqual({ axis, word, total: counts[axis]?.[word] });
      }
    }
    const missing = await list({ ...filter, kind: "bitmap.missing", limit: "1" });
    expect(missing.total).toBe(counts.kind?.["bitmap.missing"] ?? 0);
  }
});

test("rows, totals and filters agree, and nothing that is stale or offline is shown to agree", async () => {
  for (const agreement of AGREEMENTS) {
    const rows = await listAll({ agreement });
    expect(rows).toHaveLength((await list({ agreement, limit: "1" })).total);
    expect(rows.every((row) => row.axes.agreement === agreement)).toBe(true);
    if (agreement === "agrees")
      expect(rows.filter((row) => !["fresh", "ageing"].includes(row.axes.freshness))).toEqual([]);
  }
});

test("the list's SQL and the chain's function call the same reads fresh, ageing, stale and offline", async () => {
  const url = await rig.newDatabase();
  const { orm } = (await rig.newEngine(url, [])).db;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // Ages count from the database's own clock, in steps that no run of a test is long enough to bridge.
  const { rows } = await client.query<{ id: string; age: number | null; offline: boolean; failed: boolean }>(`
    with h as (insert into hosts (name, url, state, configured)
      values ('host-1', 'unix:/nowhere/1', 'online', true), ('host-2', 'unix:/nowhere/2', 'offline', true) returning id, state),
    wanted as (select gen_random_uuid() as id, h.id as host_id, age, failed, h.state = 'offline' as offline
      from h, unnest(array[null, -6000, 0, 4000, 8000, 50000]::int[]) as age, unnest(array[true, false]) as failed),
    made as (insert into vms (id, name, host_id, power, observed_at, error)
      select id, 'vm', host_id, 'running', now() - make_interval(secs => age), case when failed then '{}'::jsonb end from wanted)
    select id, age, offline, failed from wanted`);
  await client.end();
  expect(rows).toHaveLength(24);
  const now = Date.now();
  for (const staleSeconds of [2000, 20_000]) {
    for (const { id, age, offline, failed } of rows) {
      const said = freshnessOf({
        observedAt: age === null ? null : new Date(now - age * 1000).toISOString(),
        hostOffline: offline,
        triedFailed: failed,
        now,
        staleAfterMs: staleSeconds * 1000,
        observeEveryMs: 3_000_000,
      });
      const row = await getFleetRow(orm, id, { freshSeconds: 6000, staleSeconds });
      expect({ age, offline, failed, staleSeconds, freshness: row?.freshness }).toMatchObject({ freshness: said });
    }
  }
});

test("what a person types is searched for literally", async () => {
  expect((await list({ q: "%" })).total).toBe(0);
  expect((await list({ q: "vm_1" })).total).toBe(0);
  const id = (await list({ limit: "1" })).items[0]?.id ?? "";
  expect((await list({ q: id.slice(0, 13) })).items.map((row) => row.id)).toContain(id);
});

test("a cursor of another order, or of nothing, is refused by name", async () => {
  const { nextCursor } = await list({ sort: "name" });
  for (const query of [`sort=host&cursor=${nextCursor}`, "cursor=abc", `cursor=${randomUUID()}`]) {
    const answer = await call(engine, "GET", `/vms?${query}`);
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ field: "cursor" }] } });
  }
});
