/** What is not any more as a job's plan found it, and what jobs make of a record's order. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { adoptCheckpoints, inTransaction, listFindingsAt, lockVm, readRecord, relinkCheckpoints } from "#db/index.ts";
import { applyNow, ended, readAll } from "../testing/plan-job.ts";
import { newVm, openOne, POLICY } from "../testing/recorded-vm.ts";
import { openRig, type Rig } from "../testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

test("a VM that was started anew since the plan is not touched, and the job says so", async () => {
  const { url, host, engine, vmId } = await openOne(rig, "restarted");
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
  const { engine, vmId } = await openOne(rig, "order");
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
