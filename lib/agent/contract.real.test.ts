import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { openLab } from "#lab/lab.ts";
import { describeContract, type Rig } from "./contract-suite.ts";
import { AgentProcess } from "./testing/agent-process.ts";

const run = promisify(execFile);
const DISKS = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 64 }));

async function openRig(): Promise<Rig> {
  const lab = await openLab({ hosts: ["contract"] });
  const host = lab.host("contract");
  const running = await host.defineVm({ name: "runs", disks: DISKS });
  const stopped = await host.defineVm({ name: "rests", disks: DISKS });
  await running.start();
  await running.checkpoint("cp1");
  await running.checkpoint("cp2");
  const agent = await AgentProcess.start({ libvirtUri: host.uri });
  const bitmap = (vmId: string, target: string, verb: string, name: string) =>
    run("qemu-img", ["bitmap", verb, lab.vm(vmId).disk(target).path, name]);
  return {
    agent,
    kind: "libvirt",
    running: running.id,
    stopped: stopped.id,
    start: (vmId) => lab.vm(vmId).start(),
    stop: (vmId) => lab.vm(vmId).stop(),
    kill: (vmId) => lab.vm(vmId).kill(),
    write: (vmId, target, offset, length) => lab.vm(vmId).write(target, offset, length),
    checkpoint: async (vmId, id) => void (await lab.vm(vmId).checkpoint(id)),
    addBitmap: async (vmId, target, name) => void (await bitmap(vmId, target, "--add", name)),
    removeBitmap: async (vmId, target, name) => void (await bitmap(vmId, target, "--remove", name)),
    disconnect: () => host.killDaemon(),
    reconnect: () => host.startDaemon(),
    close: async () => {
      await agent.stop();
      await lab.close();
    },
  };
}

describeContract("real libvirt", openRig);

it("ends on SIGTERM with code 0 while a reader of its events is connected", async () => {
  const lab = await openLab({ hosts: ["term"] });
  try {
    const agent = await AgentProcess.start({ libvirtUri: lab.host("term").uri });
    await agent.listen();
    const began = Date.now();
    expect(await agent.stop()).toBe(0);
    expect(Date.now() - began).toBeLessThan(5_000);
  } finally {
    await lab.close();
  }
});
