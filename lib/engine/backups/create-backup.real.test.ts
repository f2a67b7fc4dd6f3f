/** One call for a backup: the plan and its application, with what both of them ask for. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { JobView } from "#contract/engine-jobs.ts";
import type { PlanView } from "#contract/engine-plans.ts";
import type { Problem } from "#contract/problem.ts";
import { listBackups } from "#db/index.ts";
import type { Engine } from "../state.ts";
import { readAll } from "../testing/plan-job.ts";
import { applyPlan, endOf } from "../testing/remedy.ts";
import { call, type KeyRole, openRig, type Rig } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
}, 60_000);
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

/** A running VM of two disks on a host of its own. */
async function openStand(name: string, more: { policy?: object; work?: boolean } = {}) {
  const host = await rig.newHost(name);
  const engine = await rig.newEngine(await rig.newDatabase(), [host], more);
  const vmId = randomUUID();
  const disks = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 4 }));
  host.sim.define(vmId, name, disks);
  host.sim.start(vmId);
  await readAll(engine, vmId);
  const ask = (body: object, { role = "support", key }: { role?: KeyRole; key?: string } = {}) =>
    call(engine, "POST", `/vms/${vmId}/backups`, { role, body, headers: key ? { "idempotency-key": key } : {} });
  return { engine, host, vmId, ask };
}

async function finished(engine: Engine, answer: Awaited<ReturnType<typeof call>>): Promise<JobView> {
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  const job = await endOf(engine, (answer.body as JobView).id);
  expect(job).toMatchObject({ state: "succeeded", error: null });
  return job;
}
const kinds = async ({ db }: Engine, vmId: string) =>
  (await listBackups(db.orm, { vmId, before: null, limit: 10 })).items.map(({ kind, disks }) => [
    kind,
    disks.map(({ target, mode }) => `${target} ${mode}`),
  ]);

test("one call without a body makes a full backup of every disk, with a plan that is kept and audited", async () => {
  const { engine, vmId, ask } = await openStand("full");
  const job = await finished(engine, await ask({}));
  expect(await kinds(engine, vmId)).toEqual([["full", ["vda full", "vdb full"]]]);
  const plan = (await call(engine, "GET", `/plans/${job.planId}`)).body as PlanView;
  expect(plan).toMatchObject({ intent: "backup", params: { mode: "full" }, state: "applied", jobId: job.id });
  const audit = (await call(engine, "GET", `/audit?subject=${vmId}`)).body as { items: object[] };
  expect(audit.items).toContainEqual(
    expect.objectContaining({ action: "plans.apply", outcome: "done", actor: "key:support", planId: plan.id }),
  );
});

test("what is asked for is what is done: the disks that are named, and increments only for who may apply them", async () => {
  const { engine, vmId, ask } = await openStand("named");
  await finished(engine, await ask({ disks: ["vdb"], reason: "before the update" }));
  expect(await ask({ mode: "auto" })).toMatchObject({ status: 403, body: { code: "forbidden" } });
  const job = await finished(engine, await ask({ mode: "auto", disks: ["vdb"] }, { role: "operator" }));
  expect(job.actor).toBe("key:operator");
  expect((await kinds(engine, vmId)).reverse()).toEqual([
    ["full", ["vdb full"]],
    ["incremental", ["vdb incremental"]],
  ]);
});

test("the same key again, also many at once, is answered with the same job; with another wish it is refused", async () => {
  const { ask } = await openStand("keyed", { work: false });
  const answers = await Promise.all([1, 2, 3, 4].map(() => ask({}, { key: "once" })));
  expect(new Set(answers.map(({ status, body }) => `${status} ${(body as JobView).id}`)).size).toBe(1);
  expect(answers[0]?.status).toBe(202);
  const { id } = (answers[0] ?? expect.fail()).body as JobView;
  expect(await ask({}, { key: "once" })).toMatchObject({ status: 202, body: { id } });
  expect(await ask({ disks: ["vda"] }, { key: "once" })).toMatchObject({ status: 409, body: { code: "conflict" } });
  // Without a key each call is a wish of its own, and the VM is held.
  expect(await ask({})).toMatchObject({ status: 409, body: { code: "vm_busy" } });
});

test("where the policy has a person asked the call is refused with the plan and what to confirm, and that plan can be applied", async () => {
  const { engine, vmId, ask } = await openStand("asked", { policy: { leastTier: { backup: 3 } } });
  const refused = await ask({});
  expect(refused).toMatchObject({ status: 409, body: { code: "conflict", subject: vmId } });
  const { errors = [] } = refused.body as Problem;
  expect(errors).toMatchObject([{ field: "planId" }, { field: "confirm", reason: "type asked to confirm" }]);
  expect(await kinds(engine, vmId)).toEqual([]);
  const planId = errors[0]?.reason.split(" ")[0];
  const plan = (await call(engine, "GET", `/plans/${planId}`)).body as PlanView;
  await finished(engine, await applyPlan(engine, plan, "support"));
});

test("what speaks against it is named by its field, and nothing is begun", async () => {
  const { engine, host, vmId, ask } = await openStand("refused");
  const wrong = await ask({ disks: ["vda", "vdz"], repository: "/elsewhere" });
  expect(wrong).toMatchObject({ status: 422, body: { code: "invalid_input" } });
  expect((wrong.body as Problem).errors?.map(({ field }) => field).sort()).toEqual(["disks[1]", "repository"]);
  expect(await ask({ mode: "incremental" })).toMatchObject({ status: 422, body: { errors: [{ field: "mode" }] } });
  host.sim.stop(vmId);
  await readAll(engine, vmId);
  expect(await ask({})).toMatchObject({ status: 409, body: { code: "conflict", subject: vmId } });
  expect(await kinds(engine, vmId)).toEqual([]);
});
