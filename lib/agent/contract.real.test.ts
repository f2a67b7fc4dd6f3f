import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { openLab } from "#lab/lab.ts";
import { describeContract } from "./contract-suite.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import type { Rig } from "./testing/rig.ts";

const run = promisify(execFile);
const CREATED_AT = "2026-01-01T00:00:00Z";
const DISKS = ["vda", "vdb"].map((target) => ({ target, sizeMiB: 64 }));

async function openRig(): Promise<Rig> {
  const lab = await openLab({ hosts: ["contract"] });
  const host = lab.host("contract");
  const running = await host.defineVm({ name: "runs", disks: DISKS });
  const stopped = await host.defineVm({ name: "rests", disks: DISKS });
  await running.start();
  await running.checkpoint("cp1");
  await running.checkpoint("cp2");
  const agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
  const bitmap = (vmId: string, target: string, verb: string, name: string) =>
    run("qemu-img", ["bitmap", verb, "--", lab.vm(vmId).disk(target).path, name]);
  const isLive = async (vmId: string) => (await lab.vm(vmId).power()) === "running";
  /** libvirt numbers the layers from the last disk to the first. */
  const liveBitmap = (vmId: string, execute: string, target: string, more: Record<string, unknown>) =>
    lab
      .vm(vmId)
      .qmp({ execute, arguments: { node: target === "vdb" ? "libvirt-1-format" : "libvirt-2-format", ...more } });
  return {
    agent,
    kind: "libvirt",
    repository: lab.repository,
    running: running.id,
    stopped: stopped.id,
    start: (vmId) => lab.vm(vmId).start(),
    stop: (vmId) => lab.vm(vmId).stop(),
    kill: (vmId) => lab.vm(vmId).kill(),
    write: (vmId, target, offset, length) => lab.vm(vmId).write(target, offset, length),
    checkpoint: async (vmId, id) => void (await lab.vm(vmId).checkpoint(id)),
    addBitmap: async (vmId, target, name) => {
      if (await isLive(vmId)) await liveBitmap(vmId, "block-dirty-bitmap-add", target, { name, persistent: true });
      else await bitmap(vmId, target, "--add", name);
    },
    removeBitmap: async (vmId, target, name) => {
      if (await isLive(vmId)) await liveBitmap(vmId, "block-dirty-bitmap-remove", target, { name });
      else await bitmap(vmId, target, "--remove", name);
    },
    newVm: async (name) => {
      const vm = await host.defineVm({ name, disks: DISKS });
      await vm.start();
      return vm.id;
    },
    addBitmaps: async (vmId, names) => {
      const actions = names.flatMap((name) =>
        ["libvirt-1-format", "libvirt-2-format"].map((node) => ({
          type: "block-dirty-bitmap-add",
          data: { node, name, persistent: true },
        })),
      );
      await lab.vm(vmId).qmp({ execute: "transaction", arguments: { actions } });
    },
    defineAsIs: (vmId, { id, parentId, disks }) =>
      lab.vm(vmId).redefine({ id, parentId, createdAt: CREATED_AT, disks: disks ?? [], isDiskless: disks === null }),
    holdJob: async (vmId) => {
      const vm = lab.vm(vmId);
      const folder = lab.repository;
      const path = join(folder, `${vm.name}.scratch`);
      await vm.backupBegin({ mode: "pull", disks: { vda: { path } }, socket: join(folder, `${vm.name}.sock`) });
      return () => vm.abortJob();
    },
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
