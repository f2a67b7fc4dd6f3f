/** What a watched host's events prove of its disks, down to the findings. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HostEvent } from "#contract/agent.ts";
import type { Chain } from "#contract/engine-vms.ts";
import { readHost } from "../observe/read.ts";
import { call, openRig, type Rig, until } from "../testing/rig.ts";
import { watchHost } from "./host-watcher.ts";

type BlockJob = NonNullable<Extract<HostEvent, { type: "domain" }>["blockJob"]>;

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

test("only a completed block job that moves a disk proves the move, and only of that disk", async () => {
  const agent = await rig.newHost("mover");
  const vmId = randomUUID();
  agent.sim.define(
    vmId,
    "vm",
    ["vda", "vdb", "vdc"].map((target) => ({ target, sizeMiB: 64 })),
  );
  agent.sim.start(vmId);
  agent.sim.checkpoint(vmId, "cp1");
  const engine = await rig.newEngine(await rig.newDatabase(), [agent]);
  const [host] = engine.hosts.values();
  if (!host) throw new Error("there is no host");
  await readHost(engine, host);
  const body = { id: "cp1", parentId: null, createdAt: "2026-01-01T00:00:00Z", disks: ["vda", "vdb", "vdc"] };
  expect((await call(engine, "POST", `/vms/${vmId}/checkpoints`, { body })).status).toBe(201);

  const ended = (disk: string, type: BlockJob["type"], outcome: BlockJob["outcome"]): HostEvent => ({
    type: "domain",
    vmId,
    name: "vm",
    event: "block-job-ended",
    detail: null,
    blockJob: { disk, type, outcome },
    at: new Date().toISOString(),
  });
  const said = [
    ended("vda", "backup", "completed"),
    ended("vda", "copy", "failed"),
    ended("vda", "active-commit", "canceled"),
    ended("vda", "pull", "completed"),
    ended("vdb", "copy", "completed"),
    ended("vdc", "active-commit", "completed"),
  ];
  let tell = () => {};
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  async function* events(signal: AbortSignal | undefined): AsyncGenerator<HostEvent> {
    await told;
    yield* said;
    await new Promise((resolve) => signal?.addEventListener("abort", resolve));
  }
  const { api } = host.agent;
  const spoken = { events: async (_: object, { signal }: { signal?: AbortSignal }) => events(signal) };
  const watcher = watchHost(engine, {
    ...host,
    agent: {
      ...host.agent,
      api: new Proxy(api, { get: (all, call) => Reflect.get(call in spoken ? spoken : all, call) }),
    },
  });
  try {
    const chain = async () => (await call(engine, "GET", `/vms/${vmId}/chain`)).body as Chain;
    // Its first look at the whole host is behind it.
    await until(
      async () => (await call(engine, "GET", `/hosts/${host.id}`)).body as { lastSweepAt: string | null },
      ({ lastSweepAt }) => lastSweepAt !== null,
    );
    for (const target of ["vda", "vdb", "vdc"]) {
      agent.sim.changeDisk(vmId, target, (disk) => {
        disk.inode = `9${disk.inode}`;
      });
    }
    tell();
    const { findings } = await until(chain, (now) => now.findings.length > 0);
    expect(findings.map(({ id }) => id)).toEqual(["disk.replaced||vda|"]);
  } finally {
    await watcher.stop();
  }
});
