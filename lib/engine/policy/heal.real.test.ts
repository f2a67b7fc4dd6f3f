/** What policy may take away by itself, and what it leaves to a person: over a simulated host and a real database. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobRow } from "#contract/engine-jobs.ts";
import type { Chain } from "#contract/engine-vms.ts";
import type { Engine } from "../state.ts";
import { call, openRig, type Rig, type SimHost, until } from "../testing/rig.ts";
import { actByPolicy } from "./act.ts";

let rig: Rig;
let host: SimHost;
let engine: Engine;
beforeAll(async () => {
  rig = await openRig();
  host = await rig.newHost("healing");
  const policy = { redefineOnStart: "auto", healOnStart: "auto" };
  engine = await rig.newEngine(await rig.newDatabase(), [host], { watch: true, policy });
}, 60_000);
afterAll(() => rig.close());

const chainOf = async (vmId: string): Promise<Chain> => (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;
const jobsOf = async (vmId: string): Promise<JobRow[]> =>
  ((await call(engine, "GET", `/jobs?vmId=${vmId}`)).body as { items: JobRow[] }).items;

/** A running VM with recorded checkpoints on which all agrees. */
async function addVm(name: string, count: number, disks = ["vda"]): Promise<string> {
  const vmId = randomUUID();
  host.sim.define(
    vmId,
    name,
    disks.map((target) => ({ target, sizeMiB: 64 })),
  );
  host.sim.start(vmId);
  await until(
    () => call(engine, "GET", `/vms/${vmId}`),
    (answer) => answer.status === 200,
  );
  for (let i = 0; i < count; i++) host.sim.checkpoint(vmId, `cp${i}`);
  const listed = ((await call(engine, "POST", `/vms/${vmId}/observe`)).body as Chain).host.checkpoints ?? [];
  for (const { id, parentId, createdAt } of listed) {
    const body = { id, parentId, createdAt, disks };
    expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  }
  expect(await chainOf(vmId)).toMatchObject({ agreement: "agrees", findings: [] });
  return vmId;
}

test("where policy heals, the rest of the chain is redefined first and then only what is broken goes", async () => {
  const vmId = await addVm("mends-itself", 3);
  host.sim.stop(vmId);
  host.sim.removeBitmap(vmId, "vda", "cp0");
  host.sim.forgetCheckpoints(vmId);
  host.sim.start(vmId);
  const chain = await until(
    () => chainOf(vmId),
    (now) => now.agreement === "agrees" && now.findings.length === 0 && now.record.checkpoints.length === 2,
  );
  expect(chain.record.checkpoints.map((item) => item.id)).toEqual(["cp1", "cp2"]);
  expect(chain.host.checkpoints?.map((item) => item.id)).toEqual(["cp1", "cp2"]);
  const jobs = (await jobsOf(vmId)).reverse();
  expect(jobs.map(({ kind, actor, reason }) => ({ kind, actor, reason }))).toEqual([
    { kind: "redefine", actor: "driftline", reason: "policy: redefineOnStart" },
    { kind: "heal", actor: "driftline", reason: "policy: healOnStart" },
  ]);
}, 30_000);

test("a checkpoint that is broken on one disk and healthy on another is healed while libvirt does not list it", async () => {
  const vmId = await addVm("half-broken", 3, ["vda", "vdb"]);
  host.sim.stop(vmId);
  host.sim.removeBitmap(vmId, "vdb", "cp0");
  host.sim.forgetCheckpoints(vmId);
  host.sim.start(vmId);
  const chain = await until(
    () => chainOf(vmId),
    (now) => now.agreement === "agrees" && now.record.checkpoints[0]?.disks.length === 1,
  );
  expect(chain.host.checkpoints?.map(({ disks }) => disks.length)).toEqual([1, 2, 2]);
}, 30_000);

test("a heal that takes a disk's last base waits for a person, whatever the policy says", async () => {
  const vmId = await addVm("last-base", 1);
  host.sim.stop(vmId);
  host.sim.removeBitmap(vmId, "vda", "cp0");
  host.sim.start(vmId);
  await until(
    () => chainOf(vmId),
    (now) => now.findings.some((finding) => finding.kind === "bitmap.missing") && now.vm.power === "running",
  );
  expect(await actByPolicy(engine, vmId, new Set(engine.hosts.keys()))).toEqual({ jobId: null, againInMs: null });
  expect(await jobsOf(vmId)).toEqual([]);
  expect((await chainOf(vmId)).record.checkpoints.map((item) => item.id)).toEqual(["cp0"]);
}, 30_000);
