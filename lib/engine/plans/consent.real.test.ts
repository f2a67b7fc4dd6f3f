/** What a person agreed to, and what would be asked by the time the plan is applied. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Problem } from "#contract/problem.ts";
import { listOpenFindings, proveMove } from "#db/index.ts";
import type { Engine } from "../state.ts";
import { readAll } from "../testing/plan-job.ts";
import { applyPlan, makePlan } from "../testing/remedy.ts";
import { type Answer, call, openRig, type Rig, type SimHost } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
}, 60_000);
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

type Stand = { engine: Engine; host: SimHost; url: string; vmId: string };

/** A running VM of two disks: cp1 covers both, cp2 only vdb. libvirt has both. */
async function openStand(name: string): Promise<Stand> {
  const host = await rig.newHost(name);
  const url = await rig.newDatabase();
  const engine = await rig.newEngine(url, [host], { work: false });
  const vmId = randomUUID();
  const disks = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 4 }));
  host.sim.define(vmId, name, disks);
  host.sim.start(vmId);
  host.sim.checkpoint(vmId, "cp1");
  host.sim.checkpoint(vmId, "cp2");
  host.sim.removeBitmap(vmId, "vda", "cp2");
  host.sim.defineAsIs(vmId, { id: "cp2", parentId: "cp1", disks: [{ target: "vdb", bitmap: "cp2" }] });
  await readAll(engine, vmId);
  for (const [id, parentId, covered] of [
    ["cp1", null, ["vda", "vdb"]],
    ["cp2", "cp1", ["vdb"]],
  ]) {
    const body = { id, parentId, createdAt: new Date().toISOString(), disks: covered };
    expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  }
  return { engine, host, url, vmId };
}

const ids = async ({ engine, vmId }: Stand) => (await listOpenFindings(engine.db.orm, vmId)).map(({ id }) => id);
const errorsOf = ({ status, body }: Answer) => {
  expect([status, (body as Problem).code]).toEqual([409, "plan_out_of_date"]);
  return (body as Problem).errors;
};

test("a tier that the policy raised after the plan was made is asked for: the plan is refused and names it", async () => {
  const stand = await openStand("raised");
  const plan = await makePlan(stand.engine, stand.vmId, { intent: "prune", params: { ids: ["cp2"] } });
  expect(plan).toMatchObject({ tier: 2, confirm: null });
  await stand.engine.stop();
  const next = await rig.newEngine(stand.url, [stand.host], { work: false, policy: { leastTier: { prune: 3 } } });
  expect(errorsOf(await applyPlan(next, plan))).toEqual([
    { field: "tier", reason: "was tier 2; is tier 3" },
    { field: "what must be typed", reason: "was nothing; is raised" },
  ]);
  const again = await makePlan(next, stand.vmId, { intent: "prune", params: { ids: ["cp2"] } });
  expect((await applyPlan(next, again)).status).toBe(202);
});

test("a base that became a disk's last one after the plan was made is asked for, though neither record nor host changed", async () => {
  const stand = await openStand("proven");
  const { engine, host, vmId } = stand;
  host.sim.changeDisk(vmId, "vda", (disk) => {
    Object.assign(disk, { source: "/sim/images/moved.qcow2", inode: "7000001" });
    for (const layer of disk.layers) layer.path = disk.source;
  });
  await readAll(engine, vmId);
  expect(await ids(stand)).toEqual(["disk.replaced||vda|"]);
  const plan = await makePlan(engine, vmId, { intent: "prune", params: { ids: ["cp1"] } });
  expect(plan.tier).toBe(2);
  // The block job that moved it was seen to end well.
  const hostId = [...engine.hosts.keys()][0] ?? "";
  await proveMove(engine.db.orm, { vmId, hostId, target: "vda", at: new Date() });
  const errors = errorsOf(await applyPlan(engine, plan));
  expect(await ids(stand)).toEqual([]);
  expect(errors).toContainEqual({ field: "tier", reason: "was tier 2; is tier 3" });
  expect(errors).toContainEqual({ field: expect.stringMatching(/^loss /), reason: expect.stringContaining("vda") });
});

test("a call that came along is listed before it is made: the plan is refused and names it", async () => {
  const { engine, host, vmId } = await openStand("helper");
  const plan = await makePlan(engine, vmId, { intent: "backup", params: { mode: "full" } });
  host.sim.addBitmap(vmId, "vda", "backup-vda");
  host.sim.changeDisk(vmId, "vda", (disk) => {
    for (const bitmap of disk.layers[0]?.bitmaps ?? []) {
      if (bitmap.name === "backup-vda") Object.assign(bitmap, { persistent: false, recording: false });
    }
  });
  const errors = errorsOf(await applyPlan(engine, plan));
  expect(errors).toHaveLength(2);
  for (const error of errors ?? []) {
    expect(error.field).toBe("a call that is not listed");
    expect(error.reason).toContain("driftline.temporary: bitmap backup-vda on vda");
  }
});
