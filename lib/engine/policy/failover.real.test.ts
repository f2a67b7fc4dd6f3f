/** A host dies and its VM runs on another one: what is mended, what is refused, and when. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Host } from "#contract/engine.ts";
import type { JobRow, JobView } from "#contract/engine-jobs.ts";
import type { PlanView } from "#contract/engine-plans.ts";
import type { Chain } from "#contract/engine-vms.ts";
import type { Problem } from "#contract/problem.ts";
import { cleaner } from "../jobs/leftovers.ts";
import { readHost } from "../observe/read.ts";
import type { Engine } from "../state.ts";
import { call, openRig, type Rig, type SimHost, until } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
}, 60_000);
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

const chainOf = async (engine: Engine, vmId: string): Promise<Chain> =>
  (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;
const kindsOf = (chain: Chain) => chain.findings.map((finding) => finding.kind);
const jobsOf = async (engine: Engine, vmId: string): Promise<JobRow[]> =>
  ((await call(engine, "GET", `/jobs?vmId=${vmId}`)).body as { items: JobRow[] }).items;
const plan = (engine: Engine, vmId: string, body: object) => call(engine, "POST", `/vms/${vmId}/plans`, { body });

/** A running VM with three recorded checkpoints on the first of two hosts. */
async function openTwo(name: string, more: Parameters<Rig["newEngine"]>[2]) {
  const a = await rig.newHost(`${name}-a`);
  const b = await rig.newHost(`${name}-b`);
  const url = await rig.newDatabase();
  const engine = await rig.newEngine(url, [a, b], more);
  const vmId = randomUUID();
  a.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  a.sim.start(vmId);
  for (const id of ["cp0", "cp1", "cp2"]) a.sim.checkpoint(vmId, id);
  for (const host of engine.hosts.values()) await readHost(engine, host);
  for (const { id, parentId, createdAt } of (await chainOf(engine, vmId)).host.checkpoints ?? []) {
    const body = { id, parentId, createdAt, disks: ["vda"] };
    expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  }
  return { a, b, url, engine, vmId };
}

/** Started on the other host, over the same images: libvirt there knows no checkpoint. */
function startOn(from: SimHost, to: SimHost, vmId: string): void {
  from.sim.changeDomain(vmId, (domain) => {
    to.sim.change((state) => {
      state.domains = [{ ...structuredClone(domain), power: "shut-off", run: 0 }];
    });
  });
  to.sim.forgetCheckpoints(vmId);
  to.sim.removeBitmap(vmId, "vda", "cp0");
  to.sim.start(vmId);
}

test("a VM whose host died is redefined, healed and backed up where it runs now; when the dead host shows it running too, nothing is changed until that host is taken out", async () => {
  const policy = { redefineOnStart: "auto", healOnStart: "auto" };
  const { a, b, url, engine, vmId } = await openTwo("failover", { watch: true, policy });
  const stateOf = async (name: string, of: Engine) =>
    ((await call(of, "GET", "/hosts")).body as { items: Host[] }).items.find((host) => host.name === name)?.state;
  await a.stop();
  await until(
    () => stateOf(a.name, engine),
    (state) => state === "offline",
  );
  startOn(a, b, vmId);
  const chain = await until(
    () => chainOf(engine, vmId),
    (now) => now.agreement === "agrees" && now.record.checkpoints.length === 2 && now.vm.hostName === b.name,
  );
  expect(chain.host.checkpoints?.map((item) => item.id)).toEqual(["cp1", "cp2"]);
  expect((await jobsOf(engine, vmId)).map((job) => job.kind).sort()).toEqual(["heal", "redefine"]);

  const prepared = await plan(engine, vmId, { intent: "backup", params: { mode: "auto" } });
  expect(prepared.status, JSON.stringify(prepared.body)).toBe(201);
  const { id, losses } = prepared.body as PlanView;
  const begun = await call(engine, "POST", `/plans/${id}/apply`, {
    body: { acknowledged: losses.map((loss) => loss.id) },
    headers: { "idempotency-key": "after-failover" },
  });
  expect(begun.status, JSON.stringify(begun.body)).toBe(202);
  const ended = await until(
    () => call(engine, "GET", `/jobs/${(begun.body as JobRow).id}`),
    (answer) => !["queued", "running"].includes((answer.body as JobView).state),
  );
  expect(ended.body).toMatchObject({ state: "succeeded" });

  await a.start();
  await until(
    () => chainOf(engine, vmId),
    (now) => kindsOf(now).includes("vm.two-hosts"),
    30_000,
  );
  const refused = await plan(engine, vmId, { intent: "prune", params: { keepLast: 1 } });
  expect((refused.body as Problem).errors?.[0]?.reason).toContain("active on two hosts");

  // Proven, and then cut off: the proof stands. Taken out, it is history.
  await a.stop();
  await until(
    () => stateOf(a.name, engine),
    (state) => state === "offline",
  );
  await call(engine, "POST", `/vms/${vmId}/observe`);
  expect(kindsOf(await chainOf(engine, vmId))).toContain("vm.two-hosts");
  await rig.stopEngines();
  const without = await rig.newEngine(url, [b], { watch: true });
  await until(
    () => chainOf(without, vmId),
    (now) => now.agreement === "agrees" && !kindsOf(now).includes("vm.two-hosts"),
  );
  expect((await plan(without, vmId, { intent: "prune", params: { keepLast: 1 } })).status).toBe(201);
}, 90_000);

test("while the other host has not said whether it still runs the VM, neither a person's plan nor a clean-up changes it", async () => {
  const { a, b, url, engine, vmId } = await openTwo("unproven", { work: false });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const setState = (state: string) => client.query("update hosts set state = $1 where name = $2", [state, a.name]);
  await client.query("update vm_checkpoints set state = 'deleting' where checkpoint_id = 'cp0'");
  // It answers again after a while, and its last word on the VM, "running", is from before.
  await setState("offline");
  startOn(a, b, vmId);
  const [first, second] = [a, b].map(({ name }) => [...engine.hosts.values()].find((host) => host.name === name));
  if (!first || !second) throw new Error("no such host");
  await readHost(engine, second);
  await setState("online");
  await a.stop();
  await cleaner(engine, new AbortController().signal)();
  expect(await jobsOf(engine, vmId)).toEqual([]);
  const refused = await plan(engine, vmId, { intent: "redefine" });
  expect((refused.body as Problem).errors?.[0]?.reason).toContain(`${a.name} was seen to run the VM too`);
  expect(kindsOf(await chainOf(engine, vmId))).not.toContain("vm.two-hosts");

  a.sim.stop(vmId);
  await a.start();
  await readHost(engine, first);
  await cleaner(engine, new AbortController().signal)();
  expect((await jobsOf(engine, vmId)).map((job) => job.actor)).toEqual(["driftline"]);
  await client.end();
}, 60_000);
