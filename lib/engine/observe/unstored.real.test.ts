/** Hosts let nearly anything into a name; what one VM shows must not stand in the way of the others. */
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Chain } from "#contract/engine-vms.ts";
import type { Engine } from "../state.ts";
import { call, openRig, type Rig, type SimHost } from "../testing/rig.ts";
import { readHost } from "./read.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(() => rig.stopEngines());
afterAll(() => rig.close());

function defineRunning(host: SimHost, name: string): string {
  const vmId = randomUUID();
  host.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  host.sim.start(vmId);
  host.sim.checkpoint(vmId, "cp1");
  return vmId;
}

async function readAll(engine: Engine): Promise<void> {
  for (const host of engine.hosts.values()) await readHost(engine, host);
}

const chainOf = async (engine: Engine, vmId: string) => (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;

async function register(engine: Engine, vmId: string): Promise<void> {
  const body = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
}

test("a VM whose read cannot be stored is one of which nothing can be told, and the sweep of its host goes on", async () => {
  const host = await rig.newHost("poisoned");
  const [before = "", poisoned = "", after = "", vanished = ""] = ["before", "poisoned", "after", "vanished"].map(
    (name) => defineRunning(host, name),
  );
  const engine = await rig.newEngine(await rig.newDatabase(), [host]);
  await readAll(engine);
  for (const vmId of [before, poisoned, after]) {
    await register(engine, vmId);
    expect((await chainOf(engine, vmId)).agreement).toBe("agrees");
  }

  // No text of the database holds this character.
  host.sim.changeDisk(poisoned, "vda", (disk) => {
    disk.source = "/sim/\u0000";
  });
  for (const vmId of [before, after, vanished]) host.sim.stop(vmId);
  host.sim.change((state) => {
    const ofName = (vmId: string) => state.domains.find((domain) => domain.vmId === vmId);
    state.domains = [before, poisoned, after].flatMap((vmId) => ofName(vmId) ?? []);
  });
  const [hostId] = engine.hosts.keys();
  const began = new Date().toISOString();
  const answer = await call(engine, "POST", `/hosts/${hostId}/observe`);
  expect(answer).toMatchObject({
    status: 200,
    body: { observed: 2, unchanged: 0, failed: 1, host: { state: "online" } },
  });
  expect((answer.body as { host: { lastSweepAt: string } }).host.lastSweepAt > began).toBe(true);
  for (const vmId of [before, after]) expect((await chainOf(engine, vmId)).vm.power).toBe("shut-off");
  expect((await call(engine, "GET", `/vms/${vanished}`)).body).toMatchObject({ power: "absent" });
  expect(await chainOf(engine, poisoned)).toMatchObject({
    host: { status: "failed", error: { code: "internal", retryable: true } },
    agreement: "unknown",
    freshness: "stale",
  });

  host.sim.changeDisk(poisoned, "vda", (disk) => {
    disk.source = "/sim/images/poisoned-vda.qcow2";
  });
  await readAll(engine);
  expect(await chainOf(engine, poisoned)).toMatchObject({ host: { status: "observed" }, agreement: "agrees" });
});

test("a VM of which the first read cannot be stored is shown, with the reason", async () => {
  const host = await rig.newHost("first");
  const vmId = defineRunning(host, "first");
  host.sim.changeDomain(vmId, (domain) => {
    domain.name = "a\u0000";
  });
  const engine = await rig.newEngine(await rig.newDatabase(), [host]);
  await readAll(engine);
  const { body } = await call(engine, "GET", "/vms");
  expect(body).toMatchObject({
    items: [
      { id: vmId, hostName: "first", axes: { agreement: "unknown", freshness: "stale" }, error: { code: "internal" } },
    ],
  });
});

test("a name longer than an index takes and a granularity beyond 32 bits are found and stored like any other", async () => {
  const host = await rig.newHost("long");
  const vmId = defineRunning(host, "long");
  const engine = await rig.newEngine(await rig.newDatabase(), [host]);
  host.sim.changeDisk(vmId, "vda", ({ layers: [layer] }) => {
    for (const bitmap of layer?.bitmaps ?? []) bitmap.granularity = 2 ** 31;
  });
  await readAll(engine);
  await register(engine, vmId);
  await readAll(engine);
  expect(await chainOf(engine, vmId)).toMatchObject({ agreement: "agrees", host: { error: null } });

  // What cannot be compressed stays as long in an index.
  const bitmap = randomBytes(6_000).toString("base64url");
  host.sim.defineAsIs(vmId, { id: "cp1", parentId: null, disks: [{ target: "vda", bitmap }] });
  await readAll(engine);
  const { findings, host: shown } = await chainOf(engine, vmId);
  expect(shown.error).toBeNull();
  const found = findings.find(({ kind }) => kind === "metadata.bitmap-name-differs");
  expect(found?.subject.bitmap).toBe(bitmap);
});
