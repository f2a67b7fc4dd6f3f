/** A full read of a host takes its time; what happens there meanwhile is heard all the same. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { HostEvent, ObserveItem } from "#contract/agent.ts";
import type { Engine, EngineHost } from "../state.ts";
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

/** An answer to a full read that is under way until `release`. */
function holdFullReads(host: EngineHost) {
  const held = { begun: 0, signals: [] as (AbortSignal | undefined)[], release: () => {} };
  const released = new Promise<void>((resolve) => {
    held.release = resolve;
  });
  const { api } = host.agent;
  const observe = async (input: { domains?: string[] }, options: { signal?: AbortSignal }) => {
    if (input.domains) return api.observe(input, options);
    held.begun += 1;
    held.signals.push(options.signal);
    return (async function* (): AsyncGenerator<ObserveItem> {
      await Promise.race([released, new Promise((resolve) => options.signal?.addEventListener("abort", resolve))]);
      options.signal?.throwIfAborted();
      yield* await api.observe(input, options);
    })();
  };
  return { held, observe };
}

async function openOne(name: string) {
  const agent = await rig.newHost(name);
  const vmId = randomUUID();
  agent.sim.define(vmId, name, [{ target: "vda", sizeMiB: 64 }]);
  agent.sim.start(vmId);
  const engine = await rig.newEngine(await rig.newDatabase(), [agent]);
  const [host] = engine.hosts.values();
  if (!host) throw new Error("there is no host");
  return { agent, vmId, engine, host };
}

const powerOf = async (engine: Engine, vmId: string) =>
  ((await call(engine, "GET", `/vms/${vmId}`)).body as { power?: string }).power;
const stateOf = async (engine: Engine, { id }: EngineHost) =>
  ((await call(engine, "GET", `/hosts/${id}`)).body as { state: string }).state;

test("an event is followed by a read of its VM while the host as a whole is still being read, which is done once", async () => {
  const { agent, vmId, engine, host } = await openOne("slow");
  const { held, observe } = holdFullReads(host);
  watcher = watchHost(engine, withCalls(host, { observe }));
  await until(
    async () => held.begun,
    (begun) => begun > 0,
  );
  agent.sim.stop(vmId);
  await until(
    () => powerOf(engine, vmId),
    (power) => power === "shut-off",
  );
  expect(held.begun).toBe(1);
  expect(await stateOf(engine, host)).toBe("online");
});

test("a host that goes on talking while it is read is not silent, and its read ends with the connection", async () => {
  const { engine, host } = await openOne("talks");
  const { held, observe } = holdFullReads(host);
  let close = () => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  let taken = 0;
  async function* events(): AsyncGenerator<HostEvent> {
    const at = new Date().toISOString();
    yield { type: "connection", state: "connected", reason: null, at };
    await until(
      async () => held.begun,
      (begun) => begun > 0,
    );
    for (taken = 1; taken < 10; taken++) yield { type: "heartbeat", at };
    await closed;
  }
  watcher = watchHost(engine, withCalls(host, { observe, events: async () => events() }));
  await until(
    async () => taken,
    (count) => count === 10,
  );
  expect(held.signals.map((signal) => signal?.aborted)).toEqual([false]);
  close();
  await until(
    async () => held.signals[0]?.aborted,
    (isAborted) => isAborted === true,
  );
});

test("a libvirt that comes back is read anew at once, also when it comes back during a read", async () => {
  const { agent, vmId, engine, host } = await openOne("back");
  const { held, observe } = holdFullReads(host);
  watcher = watchHost(engine, withCalls(host, { observe }));
  await until(
    async () => held.begun,
    (begun) => begun === 1,
  );
  agent.sim.setConnected(false);
  await until(
    () => stateOf(engine, host),
    (state) => state === "degraded",
  );
  agent.sim.setConnected(true);
  await until(
    () => stateOf(engine, host),
    (state) => state === "online",
  );
  expect(held.begun).toBe(1);
  held.release();
  await until(
    async () => held.begun,
    (begun) => begun === 2,
  );
  await until(
    () => powerOf(engine, vmId),
    (power) => power === "running",
  );
  agent.sim.setConnected(false);
  await until(
    () => stateOf(engine, host),
    (state) => state === "degraded",
  );
  agent.sim.setConnected(true);
  await until(
    async () => held.begun,
    (begun) => begun === 3,
  );
});
