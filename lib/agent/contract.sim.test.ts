import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { startAgent } from "./agent.ts";
import { parseConfig } from "./config.ts";
import { describeContract } from "./contract-suite.ts";
import { SimController } from "./simulated/controller.ts";
import { AgentClient } from "./testing/agent-client.ts";
import type { Rig } from "./testing/rig.ts";

const DISKS = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 64 }));

async function openRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), "dl-agent-sim-"));
  const repository = join(folder, "repository");
  await mkdir(repository);
  const sim = new SimController(join(folder, "state.json"));
  const [running, stopped, token] = [randomUUID(), randomUUID(), randomUUID()];
  sim.define(running, "runs", DISKS);
  sim.define(stopped, "rests", DISKS);
  // Long enough for a second call to meet the first.
  sim.setChangeMs(20);
  sim.start(running);
  sim.checkpoint(running, "cp1");
  sim.checkpoint(running, "cp2");
  const tokenSha256 = [createHash("sha256").update(token).digest("hex")];
  const config = parseConfig({
    name: "sim",
    listen: "127.0.0.1:0",
    libvirtUri: sim.uri,
    tokenSha256,
    repositories: [repository],
  });
  const agent = await startAgent(config, pino({ level: "silent" }));
  return {
    agent: new AgentClient(agent.address, token),
    kind: "simulated",
    repository,
    running,
    stopped,
    start: async (vmId) => sim.start(vmId),
    stop: async (vmId) => sim.stop(vmId),
    kill: async (vmId) => sim.kill(vmId),
    write: async (vmId, target, _offset, lengthBytes) => sim.write(vmId, target, lengthBytes),
    checkpoint: async (vmId, id) => sim.checkpoint(vmId, id),
    addBitmap: async (vmId, target, name) => sim.addBitmap(vmId, target, name),
    removeBitmap: async (vmId, target, name) => sim.removeBitmap(vmId, target, name),
    newVm: async (name) => {
      const vmId = randomUUID();
      sim.define(vmId, name, DISKS);
      sim.start(vmId);
      return vmId;
    },
    addBitmaps: async (vmId, names) => {
      for (const { target } of DISKS) sim.addBitmaps(vmId, target, names);
    },
    defineAsIs: async (vmId, definition) => sim.defineAsIs(vmId, definition),
    holdJob: async (vmId) => {
      sim.setJob(vmId, { operation: "backup", elapsedMs: 1, doneBytes: null, totalBytes: null });
      return async () => sim.setJob(vmId, null);
    },
    disconnect: async () => sim.setConnected(false),
    reconnect: async () => sim.setConnected(true),
    close: async () => {
      await agent.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

describeContract("a simulated host", openRig);
