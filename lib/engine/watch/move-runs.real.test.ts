/** A move that was seen is of the run in which it was seen: what is put there after the VM stopped is another image. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { HostEvent } from "#contract/agent.ts";
import type { Chain } from "#contract/engine-vms.ts";
import { proveMove } from "#db/index.ts";
import { readHost } from "../observe/read.ts";
import type { Engine } from "../state.ts";
import { call, openRig, type Rig, until } from "../testing/rig.ts";
import { withCalls } from "../testing/with-calls.ts";
import { type Watcher, watchHost } from "./host-watcher.ts";

let rig: Rig;
let watcher: Watcher | null = null;
beforeAll(async () => {
  rig = await openRig();
});
afterEach(async () => {
  await watcher?.stop();
  watcher = null;
  await rig.stopEngines();
});
afterAll(() => rig.close());

async function openOne(name: string) {
  const agent = await rig.newHost(name);
  const vmId = randomUUID();
  agent.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  agent.sim.start(vmId);
  agent.sim.checkpoint(vmId, "cp1");
  const engine = await rig.newEngine(await rig.newDatabase(), [agent]);
  const [host] = engine.hosts.values();
  if (!host) throw new Error("there is no host");
  await readHost(engine, host);
  const body = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  const exchange = () =>
    agent.sim.changeDisk(vmId, "vda", (disk) => {
      disk.inode = `9${disk.inode}`;
    });
  return { agent, vmId, engine, host, exchange };
}

const chainOf = async (engine: Engine, vmId: string) => (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;
const found = async (engine: Engine, vmId: string) => (await chainOf(engine, vmId)).findings.map(({ id }) => id);

test.each(["vda", null])(
  "an image put there while the VM was seen stopped is found, whatever moved before (%s)",
  async (target) => {
    const { agent, vmId, engine, host, exchange } = await openOne(`seen-${target}`);
    await proveMove(engine.db.orm, { vmId, hostId: host.id, target, at: new Date() });
    agent.sim.stop(vmId);
    await readHost(engine, host);
    expect(await found(engine, vmId)).toEqual([]);
    exchange();
    agent.sim.start(vmId);
    await readHost(engine, host);
    expect(await found(engine, vmId)).toEqual(["disk.replaced||vda|"]);
  },
);

test("an image put there between two runs, of which nobody saw the end of the first, is found", async () => {
  const { agent, vmId, engine, host, exchange } = await openOne("unseen");
  await proveMove(engine.db.orm, { vmId, hostId: host.id, target: "vda", at: new Date() });
  agent.sim.stop(vmId);
  exchange();
  agent.sim.start(vmId);
  await readHost(engine, host);
  expect(await found(engine, vmId)).toEqual(["disk.replaced||vda|"]);
});

test("what moved in this run is the same disk, also when something else is written down before it is read", async () => {
  const { vmId, engine, host, exchange } = await openOne("same");
  await proveMove(engine.db.orm, { vmId, hostId: host.id, target: "vda", at: new Date() });
  exchange();
  const body = { id: "cp2", parentId: "cp1", createdAt: "2026-01-02T00:00:00Z", disks: ["vda"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);
  await readHost(engine, host);
  expect(await found(engine, vmId)).not.toContain("disk.replaced||vda|");
});

test("a VM that came by migration and stopped before it was read proves nothing of the images of its next start", async () => {
  const { agent, vmId, engine, host, exchange } = await openOne("came");
  const event = (name: "migrated-in" | "stopped" | "started"): HostEvent => ({
    type: "domain",
    vmId,
    name: "came",
    event: name,
    detail: null,
    at: new Date().toISOString(),
  });
  let tell = () => {};
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  async function* events(signal: AbortSignal | undefined): AsyncGenerator<HostEvent> {
    await told;
    yield event("migrated-in");
    yield event("stopped");
    yield event("started");
    await new Promise((resolve) => signal?.addEventListener("abort", resolve));
  }
  const sweptAt = async () =>
    ((await call(engine, "GET", `/hosts/${host.id}`)).body as { lastSweepAt: string }).lastSweepAt;
  const before = await sweptAt();
  watcher = watchHost(
    engine,
    withCalls(host, { events: async (_: object, { signal }: { signal?: AbortSignal }) => events(signal) }),
  );
  await until(sweptAt, (at) => at !== before);
  agent.sim.stop(vmId);
  exchange();
  agent.sim.start(vmId);
  tell();
  await until(
    () => found(engine, vmId),
    (ids) => ids.includes("disk.replaced||vda|"),
  );
});
