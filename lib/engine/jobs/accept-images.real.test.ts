/** An image that a person accepted, and one that is put in its place before the job comes to it. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { JobRow } from "#contract/engine-jobs.ts";
import { listDisks, listOpenFindings } from "#db/index.ts";
import type { Engine } from "../state.ts";
import { ended, readAll } from "../testing/plan-job.ts";
import { applyPlan, makePlan } from "../testing/remedy.ts";
import { call, openRig, type Rig } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
}, 60_000);
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

const REPLACED = "disk.replaced||vda|";
const accept = { links: false, retireDisks: [], acknowledge: [REPLACED], closeBackup: false, abortJob: false };
const pathOf = async ({ db }: Engine, vmId: string) => (await listDisks(db.orm, vmId))[0]?.identity?.path;

/** Accepts another image of a VM through an engine that dies before a worker takes the job. */
async function acceptThenDie(name: string) {
  const host = await rig.newHost(name);
  const url = await rig.newDatabase();
  const engine = await rig.newEngine(url, [host], { work: false });
  const vmId = randomUUID();
  const swap = (source: string, inode: string) =>
    host.sim.changeDisk(vmId, "vda", (disk) => {
      Object.assign(disk, { source, inode });
      for (const layer of disk.layers) layer.path = source;
    });
  host.sim.define(vmId, name, [{ target: "vda", sizeMiB: 4 }]);
  host.sim.start(vmId);
  host.sim.checkpoint(vmId, "cp1");
  await readAll(engine, vmId);
  const body = { id: "cp1", parentId: null, createdAt: new Date().toISOString(), disks: ["vda"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  host.sim.stop(vmId);
  swap("/sim/images/accepted.qcow2", "7000001");
  await readAll(engine, vmId);
  const plan = await makePlan(engine, vmId, { intent: "repair-record", params: accept });
  expect(plan.steps.map(({ call: words }) => words).join()).toContain("/sim/images/accepted.qcow2");
  const applied = await applyPlan(engine, plan);
  expect(applied.status).toBe(202);
  return { engine, host, url, vmId, swap, jobId: (applied.body as JobRow).id };
}

test("the image that was accepted is taken, by whatever engine comes to its job", async () => {
  const { engine, host, url, vmId, jobId } = await acceptThenDie("taken");
  await engine.stop();
  const next = await rig.newEngine(url, [host]);
  expect(await ended(next, jobId)).toMatchObject({ state: "succeeded", error: null });
  expect(await pathOf(next, vmId)).toBe("/sim/images/accepted.qcow2");
  expect(await listOpenFindings(next.db.orm, vmId)).toEqual([]);
});

test("an image that was put in the place of the accepted one before the job ran is not trusted, and the job says so", async () => {
  const { engine, host, url, vmId, swap, jobId } = await acceptThenDie("swapped");
  swap("/sim/images/another.qcow2", "7000002");
  await readAll(engine, vmId);
  await engine.stop();
  const next = await rig.newEngine(url, [host]);
  const error = expect.stringMatching(/image of vda is not the one that was accepted.*another\.qcow2.*plan again/);
  expect(await ended(next, jobId)).toMatchObject({ state: "failed", error });
  expect(await pathOf(next, vmId)).toBe("/sim/images/swapped-vda.qcow2");
  expect((await listOpenFindings(next.db.orm, vmId)).map(({ id }) => id)).toEqual([REPLACED]);
});
