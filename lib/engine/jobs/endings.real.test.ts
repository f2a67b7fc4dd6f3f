/** How a job ends: together with all that belongs to its end, and only on what its host shows. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { getJob, inTransaction, lockVm } from "#db/index.ts";
import type { Engine } from "../state.ts";
import { applyNow, ended, enqueuePlan, planOf } from "../testing/plan-job.ts";
import { count, idsOf, openOne, POLICY, PRUNE } from "../testing/recorded-vm.ts";
import { openRig, type Rig, until } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

/** No transaction that writes such a row can be committed meanwhile. Returns how many have tried, and an end to it. */
async function unwritable({ db }: Engine, event: string) {
  await db.pool.query(`create sequence planted_tries;
    create function refuse_commit() returns trigger language plpgsql as $$
      begin perform nextval('planted_tries'); raise exception 'planted: this cannot be committed'; end $$;
    create constraint trigger planted after ${event.replace(" when ", " deferrable initially deferred for each row when ")}
      execute function refuse_commit()`);
  return {
    // What a sequence has given is not taken back with the transaction.
    tries: async () => {
      const { rows } = await db.pool.query("select last_value::int as n, is_called from planted_tries");
      return rows[0].is_called ? rows[0].n : 0;
    },
    end: async (table: string) => void (await db.pool.query(`drop trigger planted on ${table}`)),
  };
}
const ROW_OF_END = { audit_log: "insert on audit_log when (new.action like 'jobs.%')" };
const END = { jobs: "update on jobs when (new.ended_at is not null)" };

test.each([
  ["succeeds", "audit_log", ROW_OF_END.audit_log],
  ["succeeds", "jobs", END.jobs],
  ["fails", "audit_log", ROW_OF_END.audit_log],
  ["fails", "jobs", END.jobs],
])(
  "a job that %s ends together with its audit row: when %s cannot be written nothing of its end stands, and later all",
  async (end, table, event) => {
    const { url, host, engine, vmId } = await openOne(rig, "one-end");
    const jobId = await applyNow(engine.db, vmId, { intent: "remove", checkpointIds: ["cp2"], bitmaps: [] });
    if (end === "fails") {
      host.sim.stop(vmId);
      host.sim.start(vmId);
    }
    const planted = await unwritable(engine, event);
    await rig.newEngine(url, [host], { policy: POLICY });
    await until(planted.tries, (n) => n >= 2, 30_000);
    expect(await getJob(engine.db.orm, jobId)).toMatchObject({ state: "running", endedAt: null, proof: null });
    expect(await count(engine, "audit_log where job_id = $1 and action like 'jobs.%'", [jobId])).toBe(0);
    expect(await count(engine, "vm_leases where job_id = $1", [jobId])).toBe(1);
    await planted.end(table);
    expect(await ended(engine, jobId)).toMatchObject({ state: end === "fails" ? "failed" : "succeeded" });
    expect(await count(engine, "audit_log where job_id = $1 and action like 'jobs.%'", [jobId])).toBe(1);
  },
);

test("a deletion that failed on the host is done again when its job could not be ended, and no row goes before the host has nothing of it", async () => {
  const { url, host, engine, vmId } = await openOne(rig, "failed-item");
  const jobId = await applyNow(engine.db, vmId, { intent: "remove", checkpointIds: ["cp2"], bitmaps: [] });
  const setFailure = (failure: "image-missing" | null) =>
    host.sim.changeDisk(vmId, "vda", (disk) => {
      disk.failure = failure;
    });
  const onHost = () => {
    let ids: string[] = [];
    host.sim.changeDomain(vmId, (domain) => {
      ids = domain.checkpoints.map((item) => item.id);
    });
    return ids;
  };
  setFailure("image-missing");
  const planted = await unwritable(engine, END.jobs);
  await rig.newEngine(url, [host], { policy: POLICY });
  await until(planted.tries, (n) => n >= 3, 30_000);
  const job = await getJob(engine.db.orm, jobId);
  expect(job).toMatchObject({ state: "running" });
  expect(job?.steps.find((step) => step.verb === "host.delete-checkpoints")).toMatchObject({ state: "failed" });
  expect(onHost()).toEqual(["cp1", "cp2", "cp3"]);
  expect(await idsOf(engine, vmId)).toEqual(["cp1", "cp2", "cp3"]);
  setFailure(null);
  await planted.end("jobs");
  expect(await ended(engine, jobId)).toMatchObject({ state: "succeeded" });
  expect(onHost()).toEqual(["cp1", "cp3"]);
  expect(await idsOf(engine, vmId)).toEqual(["cp1", "cp3"]);
});

test("no row goes while the host still shows its checkpoint, whatever the steps before say", async () => {
  const { url, host, engine, vmId } = await openOne(rig, "still-there");
  const jobId = await applyNow(engine.db, vmId, { intent: "remove", checkpointIds: ["cp2"], bitmaps: [] });
  const job = await getJob(engine.db.orm, jobId);
  const before = job?.steps.filter((step) => step.verb !== "record.delete" && step.verb !== "prove");
  await engine.db.pool.query("update job_steps set state = 'succeeded' where job_id = $1 and n = any($2)", [
    jobId,
    before?.map((step) => step.n),
  ]);
  await rig.newEngine(url, [host], { policy: POLICY });
  expect(await ended(engine, jobId)).toMatchObject({
    state: "failed",
    error: expect.stringContaining("still shows checkpoint cp2, bitmap cp2 on vda"),
  });
  expect(await idsOf(engine, vmId)).toEqual(["cp1", "cp2", "cp3"]);
});

test("a job proves that what it deletes is gone from the host: when it is still there the job has failed and names it", async () => {
  const { url, host, engine, vmId } = await openOne(rig, "not-gone");
  const jobId = await applyNow(engine.db, vmId, { intent: "remove", checkpointIds: ["cp2"], bitmaps: [] });
  const job = await getJob(engine.db.orm, jobId);
  const before = job?.steps.filter((step) => step.verb !== "prove").map((step) => step.n);
  await engine.db.pool.query("update job_steps set state = 'succeeded' where job_id = $1 and n = any($2)", [
    jobId,
    before,
  ]);
  await rig.newEngine(url, [host], { policy: POLICY });
  expect(await ended(engine, jobId)).toMatchObject({
    state: "failed",
    error: "Everything was done, but the host still shows what was to be deleted: checkpoint cp2, bitmap cp2 on vda.",
    proof: { left: [], remains: ["checkpoint cp2", "bitmap cp2 on vda"] },
  });
});

test("what is new after a job and was not foreseen is named as such, and the job that kept its word has succeeded", async () => {
  const { url, host, engine, vmId } = await openOne(rig, "news");
  const [foreseen, other] = ["foreseen", "stray"].map((name) => `bitmap.unknown||vda|${name}`);
  const jobId = await inTransaction(engine.db, async (tx) => {
    await lockVm(tx, { id: vmId });
    return enqueuePlan(tx, vmId, { ...(await planOf(tx, vmId, PRUNE)), appears: [foreseen ?? ""] });
  });
  host.sim.addBitmaps(vmId, "vda", ["foreseen", "stray"]);
  await rig.newEngine(url, [host], { policy: POLICY });
  const job = await ended(engine, jobId);
  expect(job).toMatchObject({ state: "succeeded", error: null, proof: { remains: [], foreseen: [foreseen] } });
  expect([...((job.proof?.appeared as string[]) ?? [])].sort()).toEqual([foreseen, other]);
  expect(job.steps.at(-1)?.outcome).toContain("1 new that the plan did not foresee");
});

test("what cleans up after a job is made whole or not at all, and its end has its audit row", async () => {
  const { url, host, engine, vmId } = await openOne(rig, "one-clean-up");
  await engine.db.pool.query(
    "update vm_checkpoints set state = 'deleting' where vm_id = $1 and checkpoint_id = 'cp2'",
    [vmId],
  );
  const planted = await unwritable(engine, "insert on jobs when (new.actor = 'driftline')");
  await rig.newEngine(url, [host], { policy: POLICY });
  await until(planted.tries, (n) => n >= 1, 30_000);
  expect(await count(engine, "plans where vm_id = $1", [vmId])).toBe(0);
  expect(await count(engine, "jobs where vm_id = $1", [vmId])).toBe(0);
  expect(await count(engine, "audit_log where subject = $1 and action = 'plans.apply'", [vmId])).toBe(0);
  await planted.end("jobs");
  await until(
    () => count(engine, "audit_log where subject = $1 and actor = 'driftline' and action like 'jobs.%'", [vmId]),
    (n) => n === 1,
    30_000,
  );
  expect(await count(engine, "jobs where vm_id = $1 and state = 'succeeded'", [vmId])).toBe(1);
  expect(await idsOf(engine, vmId)).toEqual(["cp1", "cp3"]);
});
