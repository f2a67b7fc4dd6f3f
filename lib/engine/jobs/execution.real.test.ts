/** Who runs a job, and what becomes of it when nobody does: on a real database, over simulated hosts. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { PlanRequest } from "#chain/plan/model.ts";
import {
  adoptCheckpoints,
  assertLease,
  getJob,
  insertCheckpoint,
  inTransaction,
  LeaseLost,
  listFindingsAt,
  lockVm,
  readRecord,
  relinkCheckpoints,
  renewLease,
  requestCancel,
  takeLease,
} from "#db/index.ts";
import type { Engine } from "../state.ts";
import { applyNow, ended, enqueuePlan, planOf, readAll } from "../testing/plan-job.ts";
import { call, openRig, type Rig, type SimHost, until } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

const PRUNE: PlanRequest = { intent: "prune", rule: { keepLast: 1 } };
const POLICY = { leaseSeconds: 2, giveUpAfterSeconds: 5 };

/** A host with a running VM that has three recorded checkpoints, and an engine that has read it and runs no jobs. */
async function openOne(name: string) {
  const url = await rig.newDatabase();
  const host = await rig.newHost(`${name}-${randomUUID().slice(0, 8)}`);
  const engine = await rig.newEngine(url, [host], { work: false, policy: POLICY });
  const vmId = await newVm(engine, host, name);
  return { url, host, engine, vmId };
}

async function newVm(engine: Engine, host: SimHost, name: string): Promise<string> {
  const vmId = randomUUID();
  host.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  for (const id of ["cp1", "cp2", "cp3"]) host.sim.checkpoint(vmId, id);
  await readAll(engine, vmId);
  await inTransaction(engine.db, async (tx) => {
    await lockVm(tx, { id: vmId });
    for (const [i, id] of ["cp1", "cp2", "cp3"].entries()) {
      const parentId = i === 0 ? null : `cp${i}`;
      const createdAt = new Date(Date.UTC(2026, 0, 1 + i)).toISOString();
      await insertCheckpoint(tx, {
        vmId,
        id,
        parentId,
        createdAt,
        disks: ["vda"],
        state: "active",
        origin: "registered",
      });
    }
  });
  await readAll(engine, vmId);
  return vmId;
}

const idsOf = async (engine: Engine, vmId: string) =>
  (await readRecord(engine.db.orm, vmId))?.checkpoints.map((item) => item.id);
async function count(engine: Engine, text: string, values: unknown[]): Promise<number> {
  const { rows } = await engine.db.pool.query(`select count(*)::int as n from ${text}`, values);
  return rows[0]?.n ?? -1;
}

test("several processes over one database run each job once, and its end is audited once", async () => {
  const { url, host, engine } = await openOne("many");
  const vmIds = await Promise.all(Array.from({ length: 6 }, (_, i) => newVm(engine, host, `vm-${i}`)));
  const workers = await Promise.all([1, 2, 3].map(() => rig.newEngine(url, [host], { policy: POLICY })));
  const jobs = await Promise.all(vmIds.map((vmId) => applyNow(engine.db, vmId, PRUNE)));
  for (const jobId of jobs) expect(await ended(engine, jobId)).toMatchObject({ state: "succeeded" });
  for (const vmId of vmIds) expect(await idsOf(engine, vmId)).toEqual(["cp3"]);
  for (const jobId of jobs) {
    expect(await count(engine, "audit_log where job_id = $1 and action = 'jobs.prune'", [jobId])).toBe(1);
  }
  expect(await count(engine, "vm_leases", [])).toBe(0);
  expect(workers).toHaveLength(3);
});

test("a VM has one holder: another job waits until the first has ended, another process until its time has run out", async () => {
  const { engine, vmId } = await openOne("lease");
  const { orm } = engine.db;
  const [first, second] = await inTransaction(engine.db, async (tx) => {
    const plan = await planOf(tx, vmId, PRUNE);
    return [await enqueuePlan(tx, vmId, plan), await enqueuePlan(tx, vmId, plan)];
  });
  if (!first || !second) throw new Error("no jobs");
  const mine = { vmId, jobId: first, holder: "a" };
  expect(await takeLease(orm, mine, 1)).toBe(true);
  expect(await takeLease(orm, { vmId, jobId: first, holder: "b" }, 1)).toBe(false);
  expect(await takeLease(orm, { vmId, jobId: second, holder: "b" }, 1)).toBe(false);
  await inTransaction(engine.db, (tx) => assertLease(tx, mine));
  await until(
    () => takeLease(orm, { vmId, jobId: first, holder: "b" }, 60),
    (taken) => taken,
    5_000,
  );
  // The old holder is fenced: it neither renews nor records.
  await expect(renewLease(orm, mine, 60)).rejects.toThrow(LeaseLost);
  await expect(inTransaction(engine.db, (tx) => assertLease(tx, mine))).rejects.toThrow(LeaseLost);
  expect(await takeLease(orm, { vmId, jobId: second, holder: "c" }, 60)).toBe(false);
  await engine.db.pool.query("update jobs set state = 'failed' where id = $1", [first]);
  expect(await takeLease(orm, { vmId, jobId: second, holder: "c" }, 60)).toBe(true);
});

test("a job whose message was lost and whose worker is gone is found by the next process", async () => {
  const { url, host, engine, vmId } = await openOne("lost-message");
  const jobId = await applyNow(engine.db, vmId, PRUNE);
  await engine.db.pool.query("delete from pgboss.job");
  await engine.db.pool.query("update jobs set state = 'running', started_at = now() where id = $1", [jobId]);
  await takeLease(engine.db.orm, { vmId, jobId, holder: "a process that was killed" }, 2);
  await rig.newEngine(url, [host], { policy: POLICY });
  expect(await ended(engine, jobId, 20_000)).toMatchObject({ state: "succeeded" });
});

test("a host that stays silent makes a job lost after its time; what it left is finished when the host is back, and audited as begun and as done", async () => {
  const { url, host, engine, vmId } = await openOne("silent");
  const jobId = await applyNow(engine.db, vmId, PRUNE);
  await host.stop();
  await rig.newEngine(url, [host], { policy: POLICY });
  const waiting = await until(
    () => getJob(engine.db.orm, jobId),
    (job) => job?.lostContactSince != null,
  );
  expect(waiting).toMatchObject({ state: "running" });
  const lost = await ended(engine, jobId, 30_000);
  expect(lost).toMatchObject({ state: "lost" });
  expect(lost.error).toContain("cp1, cp2 stay marked as being deleted");
  // Gone half-way is no base and no loss: both rows are still there.
  expect(await idsOf(engine, vmId)).toEqual(["cp1", "cp2", "cp3"]);
  await host.start();
  await until(
    () => count(engine, "jobs where vm_id = $1 and actor = 'driftline' and state = 'succeeded'", [vmId]),
    (n) => n > 0,
    30_000,
  );
  expect(await idsOf(engine, vmId)).toEqual(["cp3"]);
  expect(await count(engine, "jobs where vm_id = $1 and actor = 'driftline'", [vmId])).toBe(1);
  const { rows } = await engine.db.pool.query(
    `select action, outcome, detail, reason is not null as has_reason, plan_id is not null and job_id is not null as is_whole
     from audit_log where subject = $1 and actor = 'driftline' order by id`,
    [vmId],
  );
  const common = { outcome: "done", has_reason: true, is_whole: true };
  expect(rows).toEqual([
    { action: "plans.apply", detail: expect.stringMatching(/^remove, tier 2, \d+ steps$/), ...common },
    { action: "jobs.remove", detail: "succeeded", ...common },
  ]);
});

test("a lock that is held is waited for with the host's own words and drops nothing; one that is never free fails the job", async () => {
  const { url, host, engine, vmId: freed } = await openOne("lock-held");
  const held = await newVm(engine, host, "held");
  const intents: PlanRequest[] = [PRUNE, { intent: "redefine", mode: "strict" }];
  host.sim.forgetCheckpoints(held);
  await readAll(engine, held);
  const [prune, redefine] = await Promise.all(
    [freed, held].map((vmId, i) => applyNow(engine.db, vmId, intents[i] ?? PRUNE)),
  );
  if (!prune || !redefine) throw new Error("no jobs");
  const setLock = (vmId: string, isHeld: boolean) =>
    host.sim.changeDomain(vmId, (domain) => {
      domain.failure = isHeld ? "lock-held" : null;
    });
  for (const vmId of [freed, held]) setLock(vmId, true);
  await rig.newEngine(url, [host], { policy: POLICY });
  for (const jobId of [prune, redefine]) {
    const waiting = await until(
      () => getJob(engine.db.orm, jobId),
      (job) => job?.steps.some((step) => step.hostMessage !== null) ?? false,
    );
    // The host answers: that is no lost contact.
    expect(waiting).toMatchObject({ state: "running", error: null, lostContactSince: null });
    expect(waiting?.steps.find((step) => step.hostMessage !== null)).toMatchObject({
      state: "running",
      error: "The simulated host is told to fail here.",
    });
  }
  setLock(freed, false);
  expect(await ended(engine, prune)).toMatchObject({ state: "succeeded" });
  expect(await idsOf(engine, freed)).toEqual(["cp3"]);
  const failed = await ended(engine, redefine, 30_000);
  expect(failed).toMatchObject({ state: "failed", error: expect.stringContaining("Still so after") });
  expect(await idsOf(engine, held)).toEqual(["cp1", "cp2", "cp3"]);
});

test("what counts is how long a job is in trouble and not how long it has worked: a long backup whose host is busy at its end is waited for", async () => {
  const { url, host, engine, vmId } = await openOne("late-trouble");
  const limitMs = POLICY.giveUpAfterSeconds * 1_000;
  host.sim.change((state) => {
    state.backupMs = limitMs + 3_000;
  });
  const jobId = await applyNow(engine.db, vmId, { intent: "backup", mode: "full", disks: null, repository: null });
  await rig.newEngine(url, [host], { policy: POLICY });
  const troubleSince = async () => {
    const { rows } = await engine.db.pool.query("select trouble_since from jobs where id = $1", [jobId]);
    return rows[0].trouble_since;
  };
  const setLock = (isHeld: boolean) =>
    host.sim.changeDomain(vmId, (domain) => {
      domain.failure = isHeld ? "lock-held" : null;
    });
  const begunMs = (job: Awaited<ReturnType<typeof getJob>>) => {
    const times = job?.steps.flatMap((step) => (step.startedAt ? [Date.now() - Date.parse(step.startedAt)] : []));
    return Math.max(0, ...(times ?? []));
  };
  await until(
    () => getJob(engine.db.orm, jobId),
    (job) => begunMs(job) > limitMs + 500,
  );
  expect(await troubleSince()).toBeNull();
  setLock(true);
  const waiting = await until(
    () => getJob(engine.db.orm, jobId),
    (job) => job?.endedAt != null || (job?.steps.some((step) => step.error !== null) ?? false),
  );
  expect(waiting).toMatchObject({ state: "running", error: null });
  expect(await troubleSince()).not.toBeNull();
  setLock(false);
  expect(await ended(engine, jobId)).toMatchObject({ state: "succeeded" });
  expect(await troubleSince()).toBeNull();
});

test("a job that is cancelled before it began changes nothing, and says so", async () => {
  const { url, host, engine, vmId } = await openOne("cancelled");
  const jobId = await applyNow(engine.db, vmId, PRUNE);
  expect(await inTransaction(engine.db, (tx) => requestCancel(tx, jobId))).toBe("asked");
  expect((await call(engine, "POST", `/jobs/${jobId}/cancel`, { body: {} })).status).toBe(200);
  const { items } = (await call(engine, "GET", "/audit?action=jobs.cancel")).body as { items: object[] };
  expect(items).toMatchObject([{ actor: "key:admin", outcome: "unchanged" }]);
  await rig.newEngine(url, [host], { policy: POLICY });
  const job = await ended(engine, jobId);
  expect(job).toMatchObject({ state: "cancelled", proof: null });
  expect(job.steps.every((step) => step.state === "skipped")).toBe(true);
  expect(await idsOf(engine, vmId)).toEqual(["cp1", "cp2", "cp3"]);
  expect(await inTransaction(engine.db, (tx) => requestCancel(tx, jobId))).toBe("ended");
});

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
    const { url, host, engine, vmId } = await openOne("one-end");
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
  const { url, host, engine, vmId } = await openOne("failed-item");
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
  const { url, host, engine, vmId } = await openOne("still-there");
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
  const { url, host, engine, vmId } = await openOne("not-gone");
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
  const { url, host, engine, vmId } = await openOne("news");
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
  const { url, host, engine, vmId } = await openOne("one-clean-up");
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

test("a VM that was started anew since the plan is not touched, and the job says so", async () => {
  const { url, host, engine, vmId } = await openOne("restarted");
  const jobId = await applyNow(engine.db, vmId, { intent: "remove", checkpointIds: ["cp2"], bitmaps: [] });
  host.sim.stop(vmId);
  host.sim.start(vmId);
  await rig.newEngine(url, [host], { policy: POLICY });
  const job = await ended(engine, jobId);
  expect(job.state).toBe("failed");
  expect(job.steps.find((step) => step.verb === "host.delete-checkpoints")).toMatchObject({ state: "failed" });
});

test("a plan for a stopped VM that runs on another host by the time of its job changes nothing, and the job names that host", async () => {
  const url = await rig.newDatabase();
  const [a, b] = await Promise.all(["left", "taken"].map((name) => rig.newHost(`${name}-${randomUUID().slice(0, 8)}`)));
  if (!a || !b) throw new Error("no hosts");
  const engine = await rig.newEngine(url, [a, b], { work: false, policy: POLICY });
  const vmId = await newVm(engine, a, "moved-meanwhile");
  a.sim.stop(vmId);
  await readAll(engine, vmId);
  const jobId = await applyNow(engine.db, vmId, { intent: "remove", checkpointIds: ["cp2"], bitmaps: [] });
  a.sim.changeDomain(vmId, (domain) =>
    b.sim.change((state) => {
      state.domains = [{ ...structuredClone(domain), run: 0 }];
    }),
  );
  b.sim.start(vmId);
  await readAll(engine, vmId);
  const before = readFileSync(a.sim.path, "utf8");
  await rig.newEngine(url, [a, b], { policy: POLICY });
  const job = await ended(engine, jobId);
  expect(job).toMatchObject({ state: "failed", error: expect.stringContaining(`The VM runs on ${b.name} now`) });
  expect(readFileSync(a.sim.path, "utf8")).toBe(before);
});

test("adopting puts a checkpoint at the place of its age, and a parent always comes before its children", async () => {
  const { engine, vmId } = await openOne("order");
  await inTransaction(engine.db, async (tx) => {
    await lockVm(tx, { id: vmId });
    const createdAt = "2026-01-01T12:00:00.000Z";
    await adoptCheckpoints(tx, vmId, [{ id: "theirs", parentId: "cp1", createdAt, disks: ["vda"] }]);
    await relinkCheckpoints(tx, vmId, [{ checkpointId: "cp2", parentId: "theirs" }]);
  });
  const record = await readRecord(engine.db.orm, vmId);
  expect(record?.checkpoints.map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["theirs", "cp1"],
    ["cp2", "theirs"],
    ["cp3", "cp2"],
  ]);
  await expect(
    inTransaction(engine.db, (tx) => relinkCheckpoints(tx, vmId, [{ checkpointId: "cp1", parentId: "cp3" }])),
  ).rejects.toThrow("its own ancestor");
  expect(await listFindingsAt(engine.db.orm, vmId, new Date().toISOString())).toBeInstanceOf(Set);
});
