/** A read after an event that gives nothing: the VM is not as it was read before, it is not known. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ObserveItem } from "#contract/agent.ts";
import type { Chain } from "#contract/engine-vms.ts";
import { AgentCutOff } from "../agents/failure.ts";
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

/** A host with two running VMs, read once. */
async function openTwo(name: string) {
  const agent = await rig.newHost(name);
  const vmIds = [0, 1].map((at) => {
    const vmId = randomUUID();
    agent.sim.define(vmId, `${name}-${at}`, [{ target: "vda", sizeMiB: 64 }]);
    agent.sim.start(vmId);
    return vmId;
  });
  const engine = await rig.newEngine(await rig.newDatabase(), [agent]);
  const [host] = engine.hosts.values();
  const [first, second] = vmIds;
  if (!host || !first || !second) throw new Error("nothing to read");
  await readHost(engine, host);
  return { agent, engine, host, first, second };
}

const chainOf = async (engine: Engine, vmId: string) => (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;

test("a VM whose read after an event fails cannot be told, and what the agent did answer stands", async () => {
  const { agent, engine, host, first, second } = await openTwo("event");
  const { api } = host.agent;
  const observe = async (input: { domains?: string[] }, options: { signal?: AbortSignal }) => {
    if (!input.domains) return api.observe(input, options);
    return (async function* (): AsyncGenerator<ObserveItem> {
      yield* await api.observe({ domains: input.domains?.filter((vmId) => vmId === first) }, options);
      throw new AgentCutOff();
    })();
  };
  const sweptAt = async () =>
    ((await call(engine, "GET", `/hosts/${host.id}`)).body as { lastSweepAt: string }).lastSweepAt;
  const before = await sweptAt();
  watcher = watchHost(engine, withCalls(host, { observe }));
  // Its first look at the whole host is behind it.
  await until(sweptAt, (at) => at !== before);
  agent.sim.change(({ domains }) => {
    for (const domain of domains) domain.power = "paused";
  });
  const chain = await until(
    () => chainOf(engine, second),
    ({ host: { status } }) => status === "failed",
  );
  expect(chain).toMatchObject({
    vm: { power: "running" },
    host: { error: { code: "agent-unreachable" } },
    agreement: "unknown",
    freshness: "stale",
  });
  expect(chain.host.disks).toHaveLength(1);
  expect(await chainOf(engine, first)).toMatchObject({ vm: { power: "paused" }, host: { status: "observed" } });
});

test("a database that is lost during an observe is not the agent's failure: the call says so, and nothing of the VM", async () => {
  const { engine, host, first } = await openTwo("ours");
  const observe = async () => {
    throw Object.assign(new Error("terminating connection due to administrator command"), { code: "57P01" });
  };
  engine.hosts.set(host.id, withCalls(host, { observe }));
  const answer = await call(engine, "POST", `/vms/${first}/observe`);
  expect(answer).toMatchObject({ status: 503, body: { code: "unavailable", retryable: true } });
  expect(await chainOf(engine, first)).toMatchObject({ host: { status: "observed", error: null }, freshness: "fresh" });
});

test("an agent that fails during an observe is the VM's failure, and the answer is what was known", async () => {
  const { engine, host, first } = await openTwo("theirs");
  const observe = async () => {
    throw new AgentCutOff();
  };
  engine.hosts.set(host.id, withCalls(host, { observe }));
  const answer = await call(engine, "POST", `/vms/${first}/observe`);
  expect(answer).toMatchObject({
    status: 200,
    body: { host: { status: "failed", error: { code: "agent-unreachable" } }, agreement: "unknown" },
  });
});
