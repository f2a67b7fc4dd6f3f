/** Who runs a job, and what becomes of it when nobody does: on a real database, over simulated hosts. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { PlanRequest } from "#chain/plan/model.ts";
import { assertLease, getJob, inTransaction, LeaseLost, renewLease, requestCancel, takeLease } from "#db/index.ts";
import { applyNow, ended, enqueuePlan, planOf, readAll } from "../testing/plan-job.ts";
import { count, idsOf, newVm, openOne, POLICY, PRUNE } from "../testing/recorded-vm.ts";
import { call, openRig, type Rig, until } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

test("several processes over one database run each job once, and its end is audited once", async () => {
  const { url, host, engine } = await openOne(rig, "many");
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
  const { engine, vmId } = await openOne(rig, "lease");
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
  const { url, host, engine, vmId } = await openOne(rig, "lost-message");
  const jobId = await applyNow(engine.db, vmId, PRUNE);
  await engine.db.pool.query("delete from pgboss.job");
  await engine.db.pool.query("update jobs set state = 'running', started_at = now() where id = $1", [jobId]);
  await takeLease(engine.db.orm, { vmId, jobId, holder: "a process that was killed" }, 2);
  await rig.newEngine(url, [host], { policy: POLICY });
  expect(await ended(engine, jobId, 20_000)).toMatchObject({ state: "succeeded" });
});

test("a host that stays silent makes a job lost after its time; what it left is finished when the host is back, and audited as begun and as done", async () => {
  const { url, host, engine, vmId } = await openOne(rig, "silent");
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
  const { url, host, engine, vmId: freed } = await openOne(rig, "lock-held");
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
  const { url, host, engine, vmId } = await openOne(rig, "late-trouble");
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
  const { url, host, engine, vmId } = await openOne(rig, "cancelled");
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
