/** Plans over simulated hosts and a real database: what they stand on, who may run them, and that they run once. */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobRow, JobView } from "#contract/engine-jobs.ts";
import type { PlanGroup, PlanView } from "#contract/engine-plans.ts";
import type { Problem } from "#contract/problem.ts";
import { readHost } from "./observe/read.ts";
import type { Engine } from "./state.ts";
import {
  type Answer,
  apiKeys,
  call,
  KEYS,
  type KeyRole,
  openRig,
  type Rig,
  type SimHost,
  snapshot,
  until,
} from "./testing/rig.ts";

let rig: Rig;
/** One database and one engine for all; each test has VMs of its own. */
let stand: Stand;
beforeAll(async () => {
  rig = await openRig();
  stand = await openStand();
}, 60_000);
afterAll(() => rig.close());

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

type Stand = { url: string; host: SimHost; engine: Engine };
async function openStand(policy: object = {}): Promise<Stand> {
  const url = await rig.newDatabase();
  const host = await rig.newHost(`plans-${randomUUID().slice(0, 8)}`);
  return { url, host, engine: await rig.newEngine(url, [host], { policy, work: false }) };
}

/** A running VM with recorded checkpoints (`count`, on one disk), which libvirt has lost unless it is `whole`. */
async function addLost({ engine, host }: Stand, count = 2, name = "lost", whole = false): Promise<string> {
  const vmId = randomUUID();
  host.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  for (let i = 0; i < count; i++) host.sim.checkpoint(vmId, `cp${i}`);
  for (const one of engine.hosts.values()) await readHost(engine, one);
  for (let i = 0; i < count; i++) {
    const parentId = i === 0 ? null : `cp${i - 1}`;
    const body = { id: `cp${i}`, parentId, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
    expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  }
  if (!whole) host.sim.forgetCheckpoints(vmId);
  await call(engine, "POST", `/vms/${vmId}/observe`);
  return vmId;
}

const planFor = (engine: Engine, vmId: string, body: object, role: KeyRole = "support") =>
  call(engine, "POST", `/vms/${vmId}/plans`, { role, body });
async function redefinePlan(engine: Engine, vmId: string): Promise<PlanView> {
  const answer = await planFor(engine, vmId, { intent: "redefine" });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body as PlanView;
}
const apply = (
  engine: Engine,
  planId: string,
  options: { key?: string | null; role?: KeyRole; body?: object } = {},
) => {
  const { key = randomUUID(), role = "operator", body = {} } = options;
  const headers: Record<string, string> = key === null ? {} : { "idempotency-key": key };
  return call(engine, "POST", `/plans/${planId}/apply`, { role, body, headers });
};
const fieldsOf = (answer: Answer) => (answer.body as Problem).errors?.map((error) => error.field) ?? [];
const audits = (vmId: string) =>
  query(
    stand.url,
    `select actor, role, action, outcome, plan_id, job_id, reason, detail from audit_log
    where subject = '${vmId}' and action like 'plans.%' order by id`,
  );
const countOf = async (table: "jobs" | "plans", vmId: string) =>
  (await query(stand.url, `select count(*)::int as n from ${table} where vm_id = '${vmId}'`))[0]?.n;

test("a plan names its steps, basis and promises, is kept, and changes nothing else", async () => {
  const vmId = await addLost(stand);
  const left = ["plans", "vms", "vm_presence", "observations"];
  const before = await snapshot(stand.url, left);
  const plan = await redefinePlan(stand.engine, vmId);
  expect(plan).toMatchObject({ intent: "redefine", params: { mode: "salvage" }, tier: 1, state: "ready", vmId });
  expect(plan.steps.map((step) => step.verb)).toContain("host.redefine");
  expect(plan.promises.sort()).toEqual(["metadata.missing|cp0||", "metadata.missing|cp1||"]);
  expect(plan.basis).toMatchObject({ recordRevision: 2, hostName: stand.host.name });
  expect(Date.parse(plan.expiresAt) - Date.parse(plan.createdAt)).toBe(15 * 60_000);
  expect((await call(stand.engine, "GET", `/plans/${plan.id}`)).body).toEqual(plan);
  expect(await snapshot(stand.url, left)).toBe(before);
});

test("a plan stands on a fresh read: what changed since the last one is in it", async () => {
  const vmId = await addLost(stand);
  await query(stand.url, "update vm_presence set observed_at = now() - interval '11 seconds'");
  stand.host.sim.removeBitmap(vmId, "vda", "cp1");
  const plan = await redefinePlan(stand.engine, vmId);
  expect(plan.promises).toEqual(["metadata.missing|cp0||"]);
});

test("a host that cannot be read gives no plan but its own words, and an absent VM none either", async () => {
  const vmId = await addLost(stand);
  await query(stand.url, "update vm_presence set observed_at = now() - interval '11 seconds'");
  stand.host.sim.changeDomain(vmId, (domain) => {
    domain.failure = "lock-held";
  });
  const answer = await planFor(stand.engine, vmId, { intent: "redefine" });
  expect(answer).toMatchObject({ status: 424, body: { code: "cannot_tell", subject: vmId } });
  expect((answer.body as Problem).hostMessage).toBeTruthy();
  await stand.host.stop();
  expect(await planFor(stand.engine, vmId, { intent: "redefine" })).toMatchObject({ status: 424 });
  await stand.host.start();
  expect(await countOf("plans", vmId)).toBe(0);
});

test("a request that cannot be is refused with every field, a state that speaks against it with a conflict", async () => {
  const vmId = await addLost(stand);
  const ids = await planFor(stand.engine, vmId, { intent: "remove", params: { checkpointIds: ["nope", "neither"] } });
  expect(ids).toMatchObject({ status: 422, body: { code: "invalid_input" } });
  expect(fieldsOf(ids)).toEqual(["params.checkpointIds[0]", "params.checkpointIds[1]"]);
  const disk = await planFor(stand.engine, vmId, { intent: "backup", params: { disks: ["vdz"] } });
  expect(disk.status).toBe(422);
  expect(fieldsOf(disk)).toEqual(["params.disks[0]"]);
  const whole = randomUUID();
  stand.host.sim.define(whole, "whole", [{ target: "vda", sizeMiB: 64 }]);
  for (const one of stand.engine.hosts.values()) await readHost(stand.engine, one);
  const nothing = await planFor(stand.engine, whole, { intent: "redefine" });
  expect(nothing).toMatchObject({ status: 409, body: { code: "conflict" } });
  expect((await planFor(stand.engine, randomUUID(), { intent: "redefine" })).status).toBe(404);
});

test("a backup goes into a repository of its host only: a path that leaves it is refused with the field", async () => {
  const vmId = await addLost(stand);
  const at = (repository: string) =>
    planFor(stand.engine, vmId, { intent: "backup", params: { mode: "full", repository } });
  const own = `${rig.dir}/${stand.host.name}-backups`;
  for (const wrong of ["/etc", `${own}/../../etc`, `${own}/..`, "relative", `${own}-other`]) {
    const answer = await at(wrong);
    expect(answer.status, wrong).toBe(422);
    expect(fieldsOf(answer)).toEqual(["params.repository"]);
  }
  expect((await at(own)).status).toBe(201);
});

/** Of each intent: how the VM is made, what is asked for, and who may run it. */
const INTENTS: [string, (vmId: string) => Promise<object> | object, KeyRole][] = [
  ["redefine", () => ({ intent: "redefine", params: { mode: "strict" } }), "operator"],
  ["prune", () => ({ intent: "prune", params: { keepLast: 1 } }), "operator"],
  ["full backup", () => ({ intent: "backup", params: { mode: "full", disks: ["vda"] } }), "support"],
  ["backup", () => ({ intent: "backup", params: { mode: "auto" } }), "operator"],
  [
    "remove",
    (vmId) => {
      stand.host.sim.addBitmap(vmId, "vda", "stray");
      return { intent: "remove", params: { checkpointIds: [], bitmaps: [{ disk: "vda", bitmap: "stray" }] } };
    },
    "operator",
  ],
  [
    "adopt",
    (vmId) => {
      stand.host.sim.checkpoint(vmId, "virtnbdbackup.0");
      return { intent: "adopt", params: { checkpointIds: ["virtnbdbackup.0"] } };
    },
    "operator",
  ],
  [
    "repair-record",
    (vmId) => {
      stand.host.sim.addBitmap(vmId, "vda", "stray");
      const none = { links: false, retireDisks: [], closeBackup: false, abortJob: false };
      return { intent: "repair-record", params: { ...none, acknowledge: ["bitmap.unknown||vda|stray"] } };
    },
    "operator",
  ],
];

test.each(INTENTS)(
  "%s: its plan shows what was asked for, and runs on the state that it stands on",
  async (name, ask, role) => {
    const vmId = await addLost(stand, 2, "lost", name === "backup");
    const body = (await ask(vmId)) as { intent: string; params: object };
    await call(stand.engine, "POST", `/vms/${vmId}/observe`);
    const made = await planFor(stand.engine, vmId, body);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const plan = made.body as PlanView;
    expect(plan).toMatchObject({ intent: body.intent, params: body.params, role });
    const below = role === "operator" ? "support" : "viewer";
    expect((await apply(stand.engine, plan.id, { role: below })).status).toBe(403);
    const acknowledged = plan.losses.map((loss) => loss.id);
    const answer = await apply(stand.engine, plan.id, {
      role,
      body: { acknowledged, ...(plan.confirm === null ? {} : { confirm: plan.confirm }) },
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    expect(answer.body).toMatchObject({ kind: body.intent, stepsTotal: plan.steps.length, state: "queued" });
  },
);

test("applied, a plan becomes one job with its steps, in flight and audited with who, plan and reason", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  const heard: unknown[] = [];
  const stopHearing = stand.engine.changes.subscribe((event) => heard.push(event));
  const answer = await apply(stand.engine, plan.id, { body: { reason: "monthly check" } });
  expect(answer.status).toBe(202);
  const job = answer.body as JobRow;
  const told = { type: "job", jobId: job.id, vmId };
  await until(
    async () => heard,
    (events) => events.some((event) => isDeepStrictEqual({ ...(event as object), at: "" }, { ...told, at: "" })),
  );
  stopHearing();
  expect(job).toMatchObject({ planId: plan.id, vmId, vmName: "lost", kind: "redefine", actor: "key:operator" });
  expect(job).toMatchObject({ reason: "monthly check", stepsTotal: plan.steps.length });
  const view = (await call(stand.engine, "GET", `/jobs/${job.id}`)).body as JobView;
  expect(view.steps.map(({ verb, subject, call: words }) => ({ verb, subject, call: words }))).toEqual(
    plan.steps.map(({ verb, subject, call: words }) => ({ verb, subject, call: words })),
  );
  expect((await call(stand.engine, "GET", `/plans/${plan.id}`)).body).toMatchObject({
    state: "applied",
    jobId: job.id,
  });
  expect((await audits(vmId)).at(-1)).toMatchObject({
    actor: "key:operator",
    role: "operator",
    action: "plans.apply",
    outcome: "done",
    plan_id: plan.id,
    job_id: job.id,
    reason: "monthly check",
  });
  const row = await call(stand.engine, "GET", `/vms/${vmId}`);
  expect(row.body).toMatchObject({ axes: { agreement: "checking" }, job: { id: job.id, kind: "redefine" } });
  const messages = await query(stand.url, `select data from pgboss.job where data->>'jobId' = '${job.id}'`);
  expect(messages).toHaveLength(1);
});

test("applied twice with one key it runs once, and another key is told which job it was", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  const key = randomUUID();
  const first = await apply(stand.engine, plan.id, { key });
  const again = await apply(stand.engine, plan.id, { key });
  expect(again.status).toBe(202);
  const { id, steps, stepsTotal } = first.body as JobView;
  // The whole job, not only its line in the list.
  expect(steps).toHaveLength(stepsTotal);
  expect(first.body).toMatchObject({ planId: plan.id, vmId, disks: [], proof: null });
  expect((again.body as JobView).id).toBe(id);
  const other = await apply(stand.engine, plan.id);
  expect(other).toMatchObject({ status: 409, body: { code: "conflict" } });
  expect((other.body as Problem).detail).toContain(id);
  expect(await countOf("jobs", vmId)).toBe(1);
});

test("of many who apply one plan at once exactly one gets the job, and all with that key get the same", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  const keys = ["k1", "k1", "k2", "k3", "k4", "k4"];
  const answers = await Promise.all(keys.map((key) => apply(stand.engine, plan.id, { key })));
  const won = answers.filter((answer) => answer.status === 202);
  expect(new Set(won.map((answer) => (answer.body as JobRow).id)).size).toBe(1);
  for (const answer of answers.filter((one) => one.status !== 202)) {
    expect(answer).toMatchObject({ status: 409, body: { code: "conflict" } });
    expect((answer.body as Problem).detail).toContain("key:operator");
  }
  expect(await countOf("jobs", vmId)).toBe(1);
  const done = (await audits(vmId)).filter((row) => row.action === "plans.apply" && row.outcome === "done");
  expect(done).toHaveLength(1);
});

test("two operators with plans of their own: one wins, the other learns who holds the VM, with which job, since when", async () => {
  const vmId = await addLost(stand);
  const plans = [await redefinePlan(stand.engine, vmId), await redefinePlan(stand.engine, vmId)];
  const roles = ["operator", "admin"] as const;
  const answers = await Promise.all(plans.map((plan, i) => apply(stand.engine, plan.id, { role: roles[i] })));
  expect(answers.map((answer) => answer.status).sort()).toEqual([202, 409]);
  const won = answers.find((answer) => answer.status === 202)?.body as JobRow;
  const lost = answers.find((answer) => answer.status === 409)?.body as Problem;
  expect(lost).toMatchObject({ code: "vm_busy", subject: vmId });
  for (const part of [won.actor, won.id, won.createdAt]) expect(lost.detail).toContain(part);
  const refused = (await audits(vmId)).filter((row) => row.outcome === "refused");
  expect(refused).toHaveLength(1);
});

test("a plan made before a change on the host is refused with what changed, and stays so", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  stand.host.sim.removeBitmap(vmId, "vda", "cp1");
  const answer = await apply(stand.engine, plan.id, { body: { reason: "late" } });
  expect(answer).toMatchObject({ status: 409, body: { code: "plan_out_of_date" } });
  expect((answer.body as Problem).errors).toEqual([
    { field: "bitmap cp1 on vda", reason: expect.stringMatching(/^was recording.*; is not there$/) },
  ]);
  const view = (await call(stand.engine, "GET", `/plans/${plan.id}`)).body as PlanView;
  expect(view.state).toBe("out-of-date");
  expect(view.changes.map((change) => change.what)).toEqual(["bitmap cp1 on vda"]);
  expect(await apply(stand.engine, plan.id)).toMatchObject({ status: 409, body: { code: "plan_out_of_date" } });
  expect(await countOf("jobs", vmId)).toBe(0);
  const rows = (await audits(vmId)).filter((row) => row.action === "plans.apply");
  expect(rows.map(({ outcome, plan_id }) => ({ outcome, plan_id }))).toEqual(
    Array(2).fill({ outcome: "refused", plan_id: plan.id }),
  );
  expect(rows[0]?.reason).toBe("late");
});

test("a plan whose ground has moved says so with the newest read, before anybody tries to apply it", async () => {
  const vmId = await addLost(stand);
  const get = async (id: string) => (await call(stand.engine, "GET", `/plans/${id}`)).body as PlanView;
  const first = await redefinePlan(stand.engine, vmId);
  expect((await call(stand.engine, "POST", `/vms/${vmId}/observe`)).status).toBe(200);
  expect(await get(first.id)).toEqual(first);
  stand.host.sim.removeBitmap(vmId, "vda", "cp1");
  expect((await call(stand.engine, "POST", `/vms/${vmId}/observe`)).status).toBe(200);
  expect(await get(first.id)).toMatchObject({ state: "out-of-date", changes: [{ what: "bitmap cp1 on vda" }] });
  // Said, not settled: only applying reads the host, and decides.
  expect(await query(stand.url, `select state from plans where id = '${first.id}'`)).toEqual([{ state: "ready" }]);

  const other = await addLost(stand);
  const second = await redefinePlan(stand.engine, other);
  const body = { id: "cp9", parentId: "cp1", createdAt: "2026-01-02T00:00:00Z", disks: ["vda"] };
  expect((await call(stand.engine, "POST", `/vms/${other}/checkpoints`, { body })).status).toBe(201);
  expect(await get(second.id)).toMatchObject({ state: "out-of-date", changes: [{ what: "record" }] });
  expect(fieldsOf(await apply(stand.engine, second.id))).toEqual(["record"]);
});

test("a new run of the VM, a new record and a host that does not answer each keep a plan from running", async () => {
  const vmId = await addLost(stand);
  const restarted = await redefinePlan(stand.engine, vmId);
  stand.host.sim.stop(vmId);
  stand.host.sim.start(vmId);
  const run = await apply(stand.engine, restarted.id);
  expect(run).toMatchObject({ status: 409, body: { code: "plan_out_of_date" } });
  expect(fieldsOf(run)).toContain("run of the VM");

  const recorded = await redefinePlan(stand.engine, vmId);
  const body = { id: "cp9", parentId: "cp1", createdAt: "2026-01-02T00:00:00Z", disks: ["vda"] };
  expect((await call(stand.engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  expect(fieldsOf(await apply(stand.engine, recorded.id))).toEqual(["record"]);

  const silent = await redefinePlan(stand.engine, vmId);
  await stand.host.stop();
  expect(await apply(stand.engine, silent.id)).toMatchObject({ status: 424, body: { code: "cannot_tell" } });
  await stand.host.start();
  expect((await call(stand.engine, "GET", `/plans/${silent.id}`)).body).toMatchObject({ state: "ready" });
  expect(await countOf("jobs", vmId)).toBe(0);
});

test("a VM that cannot be read any more when its plan is about to run is refused, and the refusal is audited", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  const holder = new pg.Client({ connectionString: stand.url });
  await holder.connect();
  await holder.query("begin");
  await holder.query("select 1 from plans where id = $1 for update", [plan.id]);
  // The host has been read for it, and it waits for the plan's row.
  const answer = apply(stand.engine, plan.id);
  await until(
    () =>
      query(
        stand.url,
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      ),
    (waiting) => waiting.length > 0,
  );
  stand.host.sim.changeDomain(vmId, (domain) => {
    domain.failure = "lock-held";
  });
  for (const host of stand.engine.hosts.values()) await readHost(stand.engine, host, { vmIds: [vmId], force: true });
  await holder.query("rollback");
  await holder.end();
  expect(await answer).toMatchObject({ status: 424, body: { code: "cannot_tell", subject: vmId } });
  const audited = await query(
    stand.url,
    `select outcome, detail from audit_log where subject = '${vmId}' and action = 'plans.apply'`,
  );
  expect(audited).toEqual([{ outcome: "refused", detail: expect.stringContaining("cannot_tell: ") }]);
  expect(await countOf("jobs", vmId)).toBe(0);
});

test("an expired plan stays readable and does not run", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  await query(stand.url, `update plans set expires_at = now() - interval '1 second' where id = '${plan.id}'`);
  expect((await call(stand.engine, "GET", `/plans/${plan.id}`)).body).toMatchObject({ id: plan.id, state: "expired" });
  const answer = await apply(stand.engine, plan.id);
  expect(answer).toMatchObject({ status: 409, body: { code: "plan_out_of_date" } });
  expect(fieldsOf(answer)).toEqual(["expiresAt"]);
});

test("what a plan loses must be accepted one by one, and a plan of the highest tier must be confirmed by name", async () => {
  const vmId = await addLost(stand, 1, "precious");
  stand.host.sim.removeBitmap(vmId, "vda", "cp0");
  await call(stand.engine, "POST", `/vms/${vmId}/observe`);
  const made = await planFor(stand.engine, vmId, { intent: "heal" });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const plan = made.body as PlanView;
  expect(plan).toMatchObject({ tier: 3, confirm: "precious", role: "operator" });
  expect(plan.losses.length).toBeGreaterThan(0);
  const ids = plan.losses.map((loss) => loss.id);
  const nothing = await apply(stand.engine, plan.id);
  expect(nothing.status).toBe(422);
  expect(fieldsOf(nothing)).toEqual(["confirm", ...ids.map(() => "acknowledged")]);
  for (const id of ids) expect(JSON.stringify(nothing.body)).toContain(id);
  const wrong = await apply(stand.engine, plan.id, { body: { confirm: "Precious", acknowledged: ids } });
  expect(fieldsOf(wrong)).toEqual(["confirm"]);
  const partly = await apply(stand.engine, plan.id, { body: { confirm: "precious", acknowledged: ids.slice(1) } });
  expect(fieldsOf(partly)).toEqual(["acknowledged"]);
  expect(await countOf("jobs", vmId)).toBe(0);
  const right = await apply(stand.engine, plan.id, { body: { confirm: "precious", acknowledged: ids } });
  expect(right.status).toBe(202);
});

test("a policy raises the tier of an intent, and the plan then asks for more", async () => {
  const strict = await openStand({ leastTier: { redefine: 3 } });
  const plan = await redefinePlan(strict.engine, await addLost(strict));
  expect(plan).toMatchObject({ tier: 3, confirm: "lost" });
  expect(fieldsOf(await apply(strict.engine, plan.id))).toEqual(["confirm"]);
  await strict.engine.stop();
});

test("roles that may not run a plan change nothing, and their refusals are audited", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  const before = await snapshot(stand.url, ["audit_log"]);
  for (const role of ["viewer", "support"] as const) {
    expect(await apply(stand.engine, plan.id, { role })).toMatchObject({ status: 403, body: { code: "forbidden" } });
  }
  expect((await planFor(stand.engine, vmId, { intent: "redefine" }, "viewer")).status).toBe(403);
  expect(await snapshot(stand.url, ["audit_log"])).toBe(before);
  const refused = await query(
    stand.url,
    "select actor, action from audit_log where detail like 'This needs the role%' order by id desc limit 3",
  );
  expect(refused.reverse().map(({ actor, action }) => `${actor} ${action}`)).toEqual([
    "key:viewer plans.apply",
    "key:support plans.apply",
    "key:viewer plans.create",
  ]);
});

test("without an Idempotency-Key, or with one that is none, nothing runs and the header is named", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  for (const key of [null, "", "with space", "x".repeat(201)]) {
    const answer = await apply(stand.engine, plan.id, { key });
    expect(answer.status, String(key)).toBe(422);
    expect(fieldsOf(answer)).toEqual(["Idempotency-Key"]);
  }
  expect(await countOf("jobs", vmId)).toBe(0);
});

test("a plan over several VMs has a part or a refusal for each, and one typed number runs all that can", async () => {
  const { engine, host } = stand;
  const [one, two, gone] = [await addLost(stand, 1, "a-one"), await addLost(stand, 1, "b-two"), randomUUID()];
  const whole = randomUUID();
  host.sim.define(whole, "c-whole", [{ target: "vda", sizeMiB: 64 }]);
  for (const each of engine.hosts.values()) await readHost(engine, each);
  const made = await call(engine, "POST", "/plan-groups", {
    role: "support",
    body: { vmIds: [one, two, whole, gone], request: { intent: "redefine" } },
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const group = made.body as PlanGroup;
  expect(group.confirm).toBe("2 VMs");
  expect(group.parts.map((part) => [part.vmId, part.plan === null, part.refusals.map((each) => each.code)])).toEqual([
    [one, false, []],
    [two, false, []],
    [whole, true, ["nothing-to-do"]],
    [gone, true, ["not-found"]],
  ]);
  host.sim.removeBitmap(two, "vda", "cp0");
  const run = (role: KeyRole, body: object) =>
    call(engine, "POST", `/plan-groups/${group.id}/apply`, { role, body, headers: { "idempotency-key": "bulk" } });
  expect((await run("support", { confirm: "2 VMs" })).status).toBe(403);
  expect(fieldsOf(await run("operator", { confirm: "3 VMs" }))).toEqual(["confirm"]);
  const applied = await run("operator", { confirm: "2 VMs", reason: "after the move" });
  expect(applied.status).toBe(202);
  const { parts } = applied.body as {
    parts: { vmId: string; jobId: string | null; refusal: { code: string } | null }[];
  };
  expect(parts.map((part) => [part.vmId, part.jobId !== null, part.refusal?.code ?? null])).toEqual([
    [one, true, null],
    [two, false, "plan_out_of_date"],
    [whole, false, "nothing-to-do"],
    [gone, false, "not-found"],
  ]);
  const again = (await run("operator", { confirm: "2 VMs" })).body as typeof applied.body & { parts: typeof parts };
  expect(again.parts[0]?.jobId).toBe(parts[0]?.jobId);
  expect(await countOf("jobs", one)).toBe(1);
  const jobs = (await call(engine, "GET", "/jobs")).body as { items: JobRow[] };
  expect(jobs.items[0]).toMatchObject({ groupId: group.id, vmName: "a-one", reason: "after the move" });
});

test("a group of one VM asks for what that VM's own plan asks for: its name where its chain is lost", async () => {
  const { engine, host } = stand;
  const vmId = await addLost(stand, 2, "h-alone", true);
  const whole = randomUUID();
  host.sim.define(whole, "i-whole", [{ target: "vda", sizeMiB: 64 }]);
  for (const each of engine.hosts.values()) await readHost(engine, each);
  const groupOf = async (params: object, ...vmIds: string[]) => {
    const body = { vmIds, request: { intent: "prune", params } };
    const made = await call(engine, "POST", "/plan-groups", { body });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    return made.body as PlanGroup;
  };
  expect(await groupOf({ ids: ["cp0"] }, vmId)).toMatchObject({ confirm: "1 VM", parts: [{ plan: { tier: 2 } }] });
  // One that got no plan beside it makes it no group of two.
  for (const others of [[], [whole]]) {
    const group = await groupOf({ ids: ["cp0", "cp1"] }, vmId, ...others);
    expect(group).toMatchObject({
      confirm: "h-alone",
      parts: [{ plan: { tier: 3, confirm: "h-alone" } }, ...others.map(() => ({ plan: null }))],
    });
    const losses = group.parts[0]?.plan?.losses.map(({ id }) => id) ?? [];
    const run = (confirm: string, acknowledged: string[]) =>
      call(engine, "POST", `/plan-groups/${group.id}/apply`, {
        role: "operator",
        body: { confirm, acknowledged: [{ vmId, losses: acknowledged }] },
        headers: { "idempotency-key": randomUUID() },
      });
    for (const typed of ["1 VM", "2 VMs", ""]) expect(fieldsOf(await run(typed, losses))).toEqual(["confirm"]);
    const unread = (await run("h-alone", [])).body as { parts: { refusal: { code: string } | null }[] };
    expect(unread.parts[0]?.refusal?.code).toBe("invalid_input");
    expect(await countOf("jobs", vmId)).toBe(0);
    if (others.length === 0) continue;
    const applied = (await run("h-alone", losses)).body as { parts: { jobId: string | null }[] };
    expect(applied.parts[0]?.jobId).toEqual(expect.any(String));
  }
});

test("a part whose ground has moved says so with the newest read, and the other parts stay ready", async () => {
  const { engine, host } = stand;
  const [moved, still] = [await addLost(stand, 1, "f-moved"), await addLost(stand, 1, "g-still")];
  const body = { vmIds: [moved, still], request: { intent: "redefine" } };
  const { id } = (await call(engine, "POST", "/plan-groups", { body })).body as PlanGroup;
  host.sim.removeBitmap(moved, "vda", "cp0");
  expect((await call(engine, "POST", `/vms/${moved}/observe`)).status).toBe(200);
  const { parts } = (await call(engine, "GET", `/plan-groups/${id}`)).body as PlanGroup;
  expect(parts.map((part) => [part.vmName, part.plan?.state, part.plan?.changes.map(({ what }) => what)])).toEqual([
    ["f-moved", "out-of-date", ["bitmap cp0 on vda"]],
    ["g-still", "ready", []],
  ]);
});

test("what is accepted as lost on one VM of a plan over several is not accepted on another that loses the same", async () => {
  const { engine, host } = stand;
  const vmIds = [await addLost(stand, 1, "d-first"), await addLost(stand, 1, "e-second")];
  for (const vmId of vmIds) host.sim.removeBitmap(vmId, "vda", "cp0");
  const made = await call(engine, "POST", "/plan-groups", { body: { vmIds, request: { intent: "heal" } } });
  const group = made.body as PlanGroup;
  const losses = group.parts.map((part) => part.plan?.losses.map((loss) => loss.id) ?? []);
  expect(losses[0]?.length).toBeGreaterThan(0);
  expect(losses[1]).toEqual(losses[0]);
  const run = (acknowledged: unknown) =>
    call(engine, "POST", `/plan-groups/${group.id}/apply`, {
      body: { confirm: "2 VMs", acknowledged },
      headers: { "idempotency-key": randomUUID() },
    });
  const [first, second] = vmIds;
  const mine = { vmId: first, losses: losses[0] };
  expect(fieldsOf(await run(losses[0]))[0]).toMatch(/^acknowledged/);
  expect(fieldsOf(await run([mine, mine]))).toEqual(["acknowledged[1].vmId"]);
  expect(fieldsOf(await run([{ ...mine, vmId: randomUUID() }]))).toEqual(["acknowledged[0].vmId"]);
  const { parts } = (await run([mine])).body as { parts: { vmId: string; jobId: string | null; refusal: unknown }[] };
  expect(parts).toMatchObject([
    { vmId: first, jobId: expect.any(String), refusal: null },
    { vmId: second, jobId: null, refusal: { code: "invalid_input", reason: expect.stringContaining("acknowledged") } },
  ]);
  expect(await countOf("jobs", second ?? "")).toBe(0);

  // However many jobs there are since: exactly those of the group.
  const later = "now() + interval '1 hour'";
  await query(
    stand.url,
    `insert into jobs (vm_id, kind, state, created_at) select '${second}', 'heal', 'failed', ${later} from generate_series(1, 250)`,
  );
  const jobs = (await call(engine, "GET", `/jobs?groupId=${group.id}`)).body as { items: JobRow[]; total: number };
  expect([jobs.total, jobs.items.map((job) => job.id)]).toEqual([1, [parts[0]?.jobId]]);
  await query(stand.url, `delete from jobs where vm_id = '${second}'`);
});

test("a job's support bundle has its plan, steps, VM and audit, says what is missing, and holds no secret and no person's name", async () => {
  const vmId = await addLost(stand, 1, "bundled");
  const plan = await redefinePlan(stand.engine, vmId);
  const applied = await apply(stand.engine, plan.id, { body: { reason: "for support" } });
  const jobId = (applied.body as JobRow).id;
  await query(stand.url, `update jobs set actor = 'ann@example.org' where id = '${jobId}'`);
  const { status, body } = await call(stand.engine, "GET", `/jobs/${jobId}/bundle`, { role: "viewer" });
  expect(status).toBe(200);
  const { manifest, parts } = body as { manifest: Record<string, unknown>; parts: Record<string, unknown> };
  expect(Object.keys(parts)).toEqual(["job", "plan", "host", "vm", "chain", "findings", "backups", "audit"]);
  expect(manifest).toMatchObject({
    subject: `job ${jobId}`,
    generatedBy: "viewer",
    notCollected: [{ what: "logs of agent, libvirt and QEMU" }],
  });
  expect(parts).toMatchObject({
    job: { id: jobId, actor: "person-1", reason: "for support", steps: expect.any(Array) },
    plan: { id: plan.id },
    vm: { id: vmId },
    audit: { items: [{ action: "plans.apply", jobId }] },
  });
  const text = JSON.stringify(body);
  for (const secret of [stand.host.config.token, ...Object.values(KEYS), "ann@example.org"]) {
    expect(text).not.toContain(secret);
  }
  for (const { sha256 } of apiKeys) expect(text).not.toContain(sha256);
  const { hostId } = plan.basis;
  const ofHost = await call(stand.engine, "GET", `/hosts/${hostId}/bundle`, { role: "viewer" });
  expect(ofHost).toMatchObject({
    status: 200,
    body: { parts: { host: { id: hostId }, vms: { items: expect.any(Array) } } },
  });
  expect(JSON.stringify(ofHost.body)).toContain(vmId);
  expect(JSON.stringify(ofHost.body)).not.toContain(stand.host.config.token);
  await stand.host.stop();
  const alone = await call(stand.engine, "GET", `/jobs/${jobId}/bundle`);
  expect([alone.status, (alone.body as typeof body & { parts: object }).parts]).toMatchObject([200, { job: {} }]);
  await stand.host.start();
  expect((await call(stand.engine, "GET", `/jobs/${randomUUID()}/bundle`)).status).toBe(404);
});

test("the audit is filtered by action, outcome and time, and names plan, job and reason", async () => {
  const vmId = await addLost(stand);
  const plan = await redefinePlan(stand.engine, vmId);
  await apply(stand.engine, plan.id, { key: null });
  const started = new Date().toISOString();
  const applied = await apply(stand.engine, plan.id, { body: { reason: "why not" } });
  type Rows = { items: { action: string; outcome: string }[]; total: number };
  const list = async (filter: string) =>
    (await call(stand.engine, "GET", `/audit?subject=${vmId}&${filter}`)).body as Rows;
  const done = await list("action=plans.apply&outcome=done");
  expect(done.items).toMatchObject([{ planId: plan.id, jobId: (applied.body as JobRow).id, reason: "why not" }]);
  expect((await list(`from=${started}`)).items).toHaveLength(1);
  const before = await list(`to=${started}`);
  expect(before.total).toBeGreaterThan(0);
  expect(before.items.filter((row) => row.action === "plans.apply" && row.outcome === "done")).toEqual([]);
});

test("what the longest name loses can be acknowledged, so that its plan can be applied", async () => {
  const { engine, host } = stand;
  const vmId = await addLost(stand, 1, "long-name", true);
  const bitmap = "x".repeat(1_023);
  host.sim.addBitmap(vmId, "vda", bitmap);
  await call(engine, "POST", `/vms/${vmId}/observe`);
  const params = { checkpointIds: [], bitmaps: [{ disk: "vda", bitmap }] };
  const { id, losses } = (await planFor(engine, vmId, { intent: "remove", params })).body as PlanView;
  expect(losses.map((loss) => loss.id)).toEqual([`bitmap|vda|${bitmap}`]);
  const answer = await apply(engine, id, { body: { acknowledged: losses.map((loss) => loss.id) } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
});
