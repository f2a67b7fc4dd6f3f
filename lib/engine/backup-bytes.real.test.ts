/** What a backup has written of each disk is told while it runs, over a simulated host and a real database. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobView } from "#contract/engine-jobs.ts";
import type { PlanView } from "#contract/engine-plans.ts";
import { readHost } from "./observe/read.ts";
import { call, openRig, type Rig, until } from "./testing/rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
}, 60_000);
afterAll(() => rig.close());

test("a backup that runs tells the bytes of each disk so far, before it has ended", async () => {
  const host = await rig.newHost("slow");
  host.sim.setBackupMs(3_600_000);
  const engine = await rig.newEngine(await rig.newDatabase(), [host]);
  const vmId = randomUUID();
  host.sim.define(vmId, "two-disks", [
    { target: "vda", sizeMiB: 64 },
    { target: "vdb", sizeMiB: 64 },
  ]);
  host.sim.start(vmId);
  for (const one of engine.hosts.values()) await readHost(engine, one);
  const made = await call(engine, "POST", `/vms/${vmId}/plans`, {
    body: { intent: "backup", params: { mode: "full" } },
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const plan = made.body as PlanView;
  const applied = await call(engine, "POST", `/plans/${plan.id}/apply`, {
    body: {},
    headers: { "idempotency-key": randomUUID() },
  });
  expect(applied.status, JSON.stringify(applied.body)).toBe(202);
  const { id } = applied.body as JobView;
  const told = (answer: { body: unknown }) => (answer.body as JobView).disks.every(({ bytes }) => bytes !== null);
  const { body } = await until(() => call(engine, "GET", `/jobs/${id}`), told);
  expect(body).toMatchObject({
    state: "running",
    disks: [
      { target: "vda", bytes: expect.any(Number) },
      { target: "vdb", bytes: expect.any(Number) },
    ],
  });
  expect((await call(engine, "POST", `/jobs/${id}/cancel`)).status).toBeLessThan(300);
  await until(
    () => call(engine, "GET", `/jobs/${id}`),
    (answer) => (answer.body as JobView).endedAt !== null,
  );
});
