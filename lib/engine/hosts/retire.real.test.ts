/**
 * A host that is retired while a plan is applied on it: one of the two wins, whichever came first, and no job is left alone.
 * Pairing and retiring that are cut off when the agent has done its part and the database has not: what stands then, and
 * the way out.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Host } from "#contract/engine.ts";
import type { PlanView } from "#contract/engine-plans.ts";
import { readHost } from "../observe/read.ts";
import type { Engine } from "../state.ts";
import { openPairable, type Pairable } from "../testing/pairable.ts";
import { call, openRig, type Rig, until } from "../testing/rig.ts";

let rig: Rig;
let url: string;
let engine: Engine;
let agent: Pairable;

beforeAll(async () => {
  rig = await openRig();
  url = await rig.newDatabase();
  engine = await rig.newEngine(url, [], { work: false });
  agent = await openPairable(rig.dir, "racing");
});
afterAll(async () => {
  await agent?.stop();
  await rig?.close();
});

async function connected<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
const query = (text: string) => connected(async (client) => (await client.query(text)).rows);
/** How many of the engine's own statements wait for a lock of somebody else. */
const waiting = async (): Promise<number> =>
  (
    await query(
      "select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'driftline' and wait_event_type = 'Lock'",
    )
  )[0]?.n ?? 0;

/** A VM whose checkpoints libvirt has lost, on a paired host, and the plan that tells it of them again. */
async function planned(): Promise<{ hostId: string; vmId: string; planId: string }> {
  const answer = await call(engine, "POST", "/hosts", {
    body: { name: "racing", url: agent.url, code: await agent.code() },
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  const { id: hostId } = answer.body as { id: string };
  const vmId = randomUUID();
  agent.sim.define(vmId, "lost", [{ target: "vda", sizeMiB: 64 }]);
  agent.sim.start(vmId);
  agent.sim.checkpoint(vmId, "cp1");
  const host = engine.hosts.get(hostId);
  if (host) await readHost(engine, host);
  const body = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  agent.sim.forgetCheckpoints(vmId);
  await call(engine, "POST", `/vms/${vmId}/observe`);
  const plan = await call(engine, "POST", `/vms/${vmId}/plans`, { body: { intent: "redefine" } });
  expect(plan.status, JSON.stringify(plan.body)).toBe(201);
  return { hostId, vmId, planId: (plan.body as PlanView).id };
}
const apply = (planId: string) =>
  call(engine, "POST", `/plans/${planId}/apply`, { body: {}, headers: { "idempotency-key": randomUUID() } });
const retire = (hostId: string) => call(engine, "DELETE", `/hosts/${hostId}`);
const jobsOf = (vmId: string) => query(`select state from jobs where vm_id = '${vmId}'`);

test("a host that was retired while a plan waited for its turn gets no job any more", async () => {
  const { hostId, vmId, planId } = await planned();
  await connected(async (client) => {
    await client.query("begin");
    await client.query("select 1 from plans where id = $1 for update", [planId]);
    const applying = apply(planId);
    await until(waiting, (n) => n === 1);
    expect((await retire(hostId)).status).toBe(200);
    await client.query("rollback");
    expect(await applying).toMatchObject({ status: 409, body: { code: "conflict" } });
  });
  expect(await jobsOf(vmId)).toEqual([]);
});

/** The call does all it does with the agent; then its connection to the database ends, and nothing is committed. */
async function cutOff(work: () => ReturnType<typeof call>): Promise<void> {
  await connected(async (client) => {
    await client.query("begin");
    await client.query("lock table host_credentials in share mode");
    const working = work();
    await until(waiting, (n) => n === 1);
    await query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'driftline' and wait_event_type = 'Lock'",
    );
    expect((await working).status).toBeGreaterThanOrEqual(500);
    await client.query("rollback");
  });
}
const tokensAt = ({ stateDir }: Pairable) => JSON.parse(readFileSync(path.join(stateDir, "tokens.json"), "utf8"));
const listed = async () => ((await call(engine, "GET", "/hosts")).body as { items: Host[] }).items;

test("retiring that is cut off leaves a host that says its agent does not take us, and retiring it again is the way out", async () => {
  const cut = await openPairable(rig.dir, "cut-retire");
  try {
    const pair = async () =>
      call(engine, "POST", "/hosts", { body: { name: "cut-retire", url: cut.url, code: await cut.code() } });
    const { id } = (await pair()).body as Host;
    await cutOff(() => retire(id));
    expect(tokensAt(cut)).toEqual([]);
    const observed = await call(engine, "POST", `/hosts/${id}/observe`);
    expect(observed).toMatchObject({
      status: 503,
      body: { detail: expect.stringContaining("does not take this engine's token") },
    });
    expect((await listed()).find((one) => one.id === id)).toMatchObject({
      state: "offline",
      error: { code: "agent-refused" },
    });
    expect((await pair()).status).toBe(409);
    expect(await retire(id)).toMatchObject({ status: 200, body: { retiredAt: expect.any(String) } });
    // Its door was shut by the first one: that is no agent which could not be told.
    expect(await query(`select detail from audit_log where action = 'hosts.retire' and subject = '${id}'`)).toEqual([
      { detail: "cut-retire" },
    ]);
    expect(await pair()).toMatchObject({ status: 201, body: { id, state: "online" } });
  } finally {
    await cut.stop();
  }
});

test("pairing that is cut off leaves no host and a token that nobody has, and pairing with a new code is the way out", async () => {
  const cut = await openPairable(rig.dir, "cut-pair");
  try {
    const code = await cut.code();
    const pair = (by: string) => call(engine, "POST", "/hosts", { body: { name: "cut-pair", url: cut.url, code: by } });
    await cutOff(() => pair(code));
    expect(tokensAt(cut)).toHaveLength(1);
    expect((await listed()).map((one) => one.name)).not.toContain("cut-pair");
    expect(await pair(code)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("not waiting to be paired") },
    });
    expect(await pair(await cut.code())).toMatchObject({ status: 201, body: { state: "online" } });
  } finally {
    await cut.stop();
  }
});

test("a host on which a job is just being made is not retired, although nobody can see the job yet", async () => {
  const { hostId, vmId, planId } = await planned();
  await connected(async (client) => {
    await client.query("begin");
    await client.query("lock table job_steps in share mode");
    const applying = apply(planId);
    await until(waiting, (n) => n === 1);
    const retiring = retire(hostId);
    let isOver = false;
    void retiring.finally(() => {
      isOver = true;
    });
    await until(waiting, (n) => n === 2 || isOver);
    await client.query("rollback");
    expect((await applying).status).toBe(202);
    expect(await retiring).toMatchObject({ status: 409, body: { detail: expect.stringContaining("job") } });
  });
  expect(await jobsOf(vmId)).toEqual([{ state: "queued" }]);
  expect(await query("select configured from hosts where name = 'racing'")).toEqual([{ configured: true }]);
});
