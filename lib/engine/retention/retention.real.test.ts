/** What is forgotten and what never is, on a real database. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DirtyCount } from "#chain/model.ts";
import {
  getVm,
  inTransaction,
  listOpenFindings,
  listPresence,
  readCountsOfEarlierRuns,
  readPeaks,
  saveSamples,
} from "#db/index.ts";
import { readHost } from "../observe/read.ts";
import type { Engine } from "../state.ts";
import { call, openRig, type Rig, type SimHost, snapshot } from "../testing/rig.ts";
import { forgetOldRows } from "./run.ts";

let rig: Rig;
let url: string;
let engine: Engine;
let host: SimHost;
beforeAll(async () => {
  rig = await openRig();
  url = await rig.newDatabase();
  host = await rig.newHost("keeping");
  const policy = { keepObservationsDays: 30, keepSamplesDays: 60, keepFindingsDays: 90, keepJobsDays: 120 };
  engine = await rig.newEngine(url, [host], { work: false, policy });
});
afterAll(() => rig.close());

const rows = async (text: string, values: unknown[] = []) => (await engine.db.pool.query(text, values)).rows;
const never = new AbortController().signal;
const read = async () => {
  for (const one of engine.hosts.values()) await readHost(engine, one, { force: true });
};
const DAYS = "interval '1 day'";

/** A running VM with a recorded checkpoint, seen in several states of which one stands. */
async function newVm(name: string): Promise<string> {
  const vmId = randomUUID();
  host.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  host.sim.checkpoint(vmId, "cp1");
  await read();
  const body = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  host.sim.checkpoint(vmId, "theirs");
  await read();
  return vmId;
}
/** Everything of a VM that time was given to becomes older. */
const age = async (vmId: string, days: number) => {
  const by = `${days} * ${DAYS}`;
  await rows(`update observations set last_seen_at = last_seen_at - ${by} where vm_id = $1`, [vmId]);
  await rows(`update findings set since = since - ${by}, ended_at = ended_at - ${by} where vm_id = $1`, [vmId]);
  await rows(`update dirty_samples set at = at - ${by} where vm_id = $1`, [vmId]);
  await rows(`update identity_samples set at = at - ${by} where vm_id = $1`, [vmId]);
  await rows(`update jobs set ended_at = ended_at - ${by} where vm_id = $1`, [vmId]);
};
const count = async (table: string, vmId: string) =>
  (await rows(`select count(*)::int as n from ${table} where vm_id = $1`, [vmId]))[0]?.n;

test("what is younger than the configuration keeps stays, to the last row", async () => {
  const vmId = await newVm("young");
  await age(vmId, 29);
  const before = await snapshot(url);
  expect(await forgetOldRows(engine, never)).toEqual({
    observations: 0,
    samples: 0,
    identities: 0,
    findings: 0,
    jobs: 0,
  });
  expect(await snapshot(url)).toBe(before);
});

test("old reads and ended findings go; what stands now stays, with its `since`, verdict and agreement", async () => {
  const vmId = await newVm("old");
  host.sim.removeBitmap(vmId, "vda", "cp1");
  await read();
  host.sim.forgetCheckpoints(vmId);
  await read();
  await age(vmId, 500);
  const standing = await listOpenFindings(engine.db.orm, vmId);
  const vm = await getVm(engine.db.orm, vmId);
  const presence = await listPresence(engine.db.orm, vmId);
  expect(standing.length).toBeGreaterThan(0);
  expect(await count("observations", vmId)).toBeGreaterThan(1);
  const ended = (await rows("select 1 from findings where vm_id = $1 and ended_at is not null", [vmId])).length;
  expect(ended).toBeGreaterThan(0);

  const gone = await forgetOldRows(engine, never);
  expect(gone.findings).toBe(ended);
  expect(await rows("select id from observations where vm_id = $1", [vmId])).toEqual([{ id: vm?.observationId }]);
  expect(await listOpenFindings(engine.db.orm, vmId)).toEqual(standing);
  expect(await getVm(engine.db.orm, vmId)).toEqual(vm);
  expect(await listPresence(engine.db.orm, vmId)).toEqual(presence);
  await read();
  expect((await listOpenFindings(engine.db.orm, vmId)).map(({ id, since }) => [id, since])).toEqual(
    standing.map(({ id, since }) => [id, since]),
  );
});

test("a count that rises with every look is a row an hour, the newest exact; one that fell, and one of another run, are rows of their own", async () => {
  const vmId = await newVm("busy");
  await rows("delete from dirty_samples where vm_id = $1", [vmId]);
  const [disk] = await rows("select id from disks where vm_id = $1", [vmId]);
  const diskIds = new Map([["vda", disk?.id]]);
  let known: DirtyCount[] = [];
  const look = async (time: string, run: string, ...bytes: number[]) => {
    const counts = bytes.map((dirtyBytes, i) => {
      const bitmap = `cp${i + 1}`;
      return { target: "vda", bitmap, layerPath: "/l", dirtyBytes, granularity: 65_536 };
    });
    const at = new Date(`2026-01-01T${time}Z`);
    await inTransaction(engine.db, (tx) => saveSamples(tx, vmId, diskIds, known, counts, at, run));
    known = counts;
  };
  await look("10:00:00", "r1", 1, 5);
  await look("10:01:00", "r1", 2, 5);
  await look("10:59:59", "r1", 3, 5);
  await look("11:00:00", "r1", 4, 6);
  await look("11:01:00", "r1", 2, 6);
  await look("11:02:00", "r1", 3, 7);
  await look("11:03:00", "r2", 4, 8);
  const series = await rows(
    `select bitmap, dirty_bytes::int as bytes, runtime_id as run, to_char(at at time zone 'UTC', 'HH24:MI') as at
     from dirty_samples where vm_id = $1 order by bitmap, id`,
    [vmId],
  );
  expect(series.map(({ bitmap, bytes, run, at }) => `${bitmap} ${bytes} ${run} ${at}`)).toEqual([
    "cp1 3 r1 10:59",
    "cp1 4 r1 11:00",
    "cp1 3 r1 11:02",
    "cp1 4 r2 11:03",
    "cp2 5 r1 10:00",
    "cp2 7 r1 11:02",
    "cp2 8 r2 11:03",
  ]);
  // Old as they are, they would be forgotten in the tests below.
  await rows("delete from dirty_samples where vm_id = $1", [vmId]);
});

test("a rewind is still found after the old counts are gone: of each bitmap the newest of every possible earlier run stays", async () => {
  const vmId = await newVm("counted");
  const [disk] = await rows("select id from disks where vm_id = $1", [vmId]);
  await rows("delete from dirty_samples where vm_id = $1", [vmId]);
  const add = (bitmap: string, run: string | null, bytes: number) =>
    rows(
      `insert into dirty_samples (vm_id, disk_id, bitmap, layer_path, dirty_bytes, granularity, runtime_id, at)
       values ($1, $2, $3, '/l', $4, 65536, $5, now() - 400 * ${DAYS})`,
      [vmId, disk?.id, bitmap, bytes, run],
    );
  const runs = ["r1", "r1", null, "r2", "r2", "r1", "r3", "r3", "r3"];
  for (const [i, run] of runs.entries()) await add("cp1", run, i);
  for (const [i, run] of ["r3", "r3"].entries()) await add("cp2", run, i);
  const ofEach = async () =>
    Promise.all(["r1", "r2", "r3", "r4"].map((run) => readCountsOfEarlierRuns(engine.db.orm, vmId, run)));
  const before = await ofEach();
  const peaks = await readPeaks(engine.db.orm, vmId);
  const gone = await forgetOldRows(engine, never);
  expect(gone.samples).toBe(8);
  expect(await ofEach()).toEqual(before);
  expect(await readPeaks(engine.db.orm, vmId)).toEqual(peaks);
});

test("ended jobs go with their steps; what is looked back at, what made a recorded checkpoint, plans, backups and audit stay", async () => {
  const vmId = await newVm("worked");
  const long = `now() - 200 * ${DAYS}`;
  const job = async (kind: string, state: string, ended: string) => {
    const [row] = await rows(
      `insert into jobs (vm_id, kind, state, actor, created_at, ended_at) values ($1, $2, $3, 'key:x', ${long}, ${ended}) returning id`,
      [vmId, kind, state],
    );
    await rows("insert into job_steps (job_id, n, state) values ($1, 1, 'succeeded')", [row?.id]);
    return row?.id as string;
  };
  const chain = await job("backup", "succeeded", long);
  const plain = await job("backup", "succeeded", long);
  for (const [jobId, checkpointId] of [
    [chain, "cp1"],
    [plain, "not-recorded-any-more"],
  ])
    await rows(
      "insert into vm_backups (vm_id, checkpoint_id, kind, state, started_at, job_id) values ($1, $2, 'full', 'finished', now(), $3)",
      [vmId, checkpointId, jobId],
    );
  const heals: string[] = [];
  for (let i = 0; i < 3; i++) heals.push(await job("heal", "failed", long));
  for (let i = 0; i < 20; i++) {
    await rows("update jobs set created_at = created_at - interval '1 minute' where vm_id = $1", [vmId]);
    await job("backup", "succeeded", long);
  }
  const kept = ["plans", "vm_backups", "audit_log", "vm_checkpoints"];
  const others = (await rows("select tablename from pg_tables where schemaname = 'public'")).map(
    (row) => row.tablename,
  );
  const leaveOut = others.filter((table) => !kept.includes(table));
  const before = await snapshot(url, leaveOut);

  // While a job has the VM nothing of it is touched.
  const live = await job("prune", "running", "null");
  expect((await forgetOldRows(engine, never)).jobs).toBe(0);
  await rows("update jobs set state = 'failed', ended_at = now() where id = $1", [live]);
  expect((await forgetOldRows(engine, never)).jobs).toBe(1);
  const left = (await rows("select id from jobs where vm_id = $1", [vmId])).map((row) => row.id);
  expect(left).not.toContain(plain);
  for (const id of [chain, ...heals, live]) expect(left).toContain(id);
  expect(await rows("select 1 from job_steps s left join jobs j on j.id = s.job_id where j.id is null")).toEqual([]);
  expect(await rows("select 1 from job_steps where job_id = $1", [plain])).toEqual([]);
  expect(await snapshot(url, leaveOut)).toBe(before);
});

test("more rows than one transaction takes go in several", async () => {
  const vmId = await newVm("much");
  await rows(
    `insert into findings (vm_id, finding_id, kind, severity, severity_rank, body, since, ended_at)
     select $1, 'f' || n, 'disk.gone', 'note', 9, '{}', now() - 300 * ${DAYS}, now() - 200 * ${DAYS}
     from generate_series(1, 2500) n`,
    [vmId],
  );
  expect((await forgetOldRows(engine, never)).findings).toBe(2_500);
});
