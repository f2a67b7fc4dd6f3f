/** Hosts and servers whose clocks are wrong: a read is as new as it is, and what is told as read now was read now. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { JobView } from "#contract/engine-jobs.ts";
import type { PlanView } from "#contract/engine-plans.ts";
import type { Chain } from "#contract/engine-vms.ts";
import { contactHost, readHost } from "./observe/read.ts";
import type { Engine } from "./state.ts";
import { call, openRig, type Rig, until } from "./testing/rig.ts";
import { openWrongClock } from "./testing/wrong-clock.ts";

const MINUTE = 60_000;

let rig: Rig;
const clocks: { stop: () => Promise<void> }[] = [];
beforeAll(async () => {
  rig = await openRig();
});
afterEach(async () => {
  await rig.stopEngines();
  for (const clock of clocks.splice(0)) await clock.stop();
});
afterAll(() => rig.close());

const hostOf = (engine: Engine) => {
  const [host] = engine.hosts.values();
  if (!host) throw new Error("there is no host");
  return host;
};

/** Two servers on one database. The first has asked the host for its clock, as who watches it does; the other has not. */
async function openTwo(byMs: number) {
  const url = await rig.newDatabase();
  const agent = await rig.newHost(`h-${randomUUID().slice(0, 8)}`);
  const clock = await openWrongClock(agent.config.url, byMs);
  clocks.push(clock);
  const host = { ...agent, config: { ...agent.config, url: clock.url } };
  const vmId = randomUUID();
  host.sim.define(vmId, "vm", [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  host.sim.checkpoint(vmId, "cp1");
  const watcher = await rig.newEngine(url, [host], { work: false });
  const other = await rig.newEngine(url, [host]);
  await contactHost(watcher, hostOf(watcher));
  await readHost(watcher, hostOf(watcher));
  return { url, host, vmId, watcher, other };
}

const observe = async (engine: Engine, vmId: string): Promise<Chain> => {
  const { status, body } = await call(engine, "POST", `/vms/${vmId}/observe`);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body as Chain;
};
const namesOf = ({ host }: Chain) => host.checkpoints?.map((checkpoint) => checkpoint.id);

test.each([
  ["behind", -10 * MINUTE],
  ["ahead", 10 * MINUTE],
])(
  "every server sees the host as it is now when the host's clock is %s, also one that does not watch it",
  async (_, byMs) => {
    const { host, vmId, watcher, other } = await openTwo(byMs);
    for (const [name, engine] of [
      ["cp2", other],
      ["cp3", watcher],
      ["cp4", other],
    ] as const) {
      host.sim.checkpoint(vmId, name);
      const askedAt = Date.now();
      const chain = await observe(engine, vmId);
      expect(namesOf(chain)).toContain(name);
      expect(Date.parse(chain.host.observedAt ?? "")).toBeGreaterThanOrEqual(askedAt);
      expect(Date.parse(chain.host.observedAt ?? "")).toBeLessThanOrEqual(Date.now());
    }
    expect(Math.abs(hostOf(other).agent.clock.skewMs - byMs)).toBeLessThan(5_000);
  },
);

test("a server that does not watch the host refuses a plan whose basis has changed, however slow the host's clock is", async () => {
  const { host, vmId, watcher, other } = await openTwo(-10 * MINUTE);
  const checkpoint = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
  expect((await call(watcher, "POST", `/vms/${vmId}/checkpoints`, { body: checkpoint })).status).toBe(201);
  host.sim.forgetCheckpoints(vmId);
  await observe(watcher, vmId);
  const made = await call(other, "POST", `/vms/${vmId}/plans`, { body: { intent: "redefine" } });
  expect(made.status).toBe(201);
  const { id } = made.body as PlanView;
  // As a server that watches the host does in between.
  await readHost(watcher, hostOf(watcher), { vmIds: [vmId], force: true });
  host.sim.removeBitmap(vmId, "vda", "cp1");
  const headers = { "idempotency-key": randomUUID() };
  const { status, body } = await call(other, "POST", `/plans/${id}/apply`, { body: {}, headers });
  expect([status, body]).toMatchObject([409, { code: "plan_out_of_date" }]);
});

test("a job on a server that does not watch the host proves what it did", async () => {
  const { host, vmId, watcher, other } = await openTwo(-10 * MINUTE);
  const checkpoint = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
  await call(watcher, "POST", `/vms/${vmId}/checkpoints`, { body: checkpoint });
  host.sim.forgetCheckpoints(vmId);
  await observe(watcher, vmId);
  const { id } = (await call(other, "POST", `/vms/${vmId}/plans`, { body: { intent: "redefine" } })).body as PlanView;
  const headers = { "idempotency-key": randomUUID() };
  const job = (await call(other, "POST", `/plans/${id}/apply`, { body: {}, headers })).body as JobView;
  const ended = await until(
    async () => (await call(other, "GET", `/jobs/${job.id}`)).body as JobView,
    ({ state }) => !["queued", "running"].includes(state),
  );
  expect(ended).toMatchObject({ state: "succeeded", error: null });
});

test("a read that a server with a clock ahead dated in the future gives way to what is read now, and is fresh for nobody", async () => {
  const { url, host, vmId, other } = await openTwo(0);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const postdate = () => client.query("update vm_presence set observed_at = now() + interval '1 hour'");
  try {
    await postdate();
    host.sim.checkpoint(vmId, "cp2");
    expect(namesOf(await observe(other, vmId))).toContain("cp2");
    await postdate();
    host.sim.checkpoint(vmId, "cp3");
    const plan = await call(other, "POST", `/vms/${vmId}/plans`, {
      body: { intent: "adopt", params: { checkpointIds: ["cp3"] } },
    });
    expect(plan.status).toBe(201);
  } finally {
    await client.end();
  }
});
