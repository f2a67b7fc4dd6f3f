/** Backups of a real host through the agent's API: what is written, how a job ended, and what is left of one that did not. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostInfoSchema } from "#contract/agent.ts";
import { type CurrentBackup, currentBackupSchema } from "#contract/agent-operations.ts";
import type { LabHost } from "#lab/host.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { until } from "./testing/until.ts";

const run = promisify(execFile);
const MIB = 2 ** 20;

describe("backups of a real host", () => {
  let lab: Lab;
  let host: LabHost;
  let agent: AgentProcess;
  let vm: LabVm;
  const at = (path: string): string => join(lab.repository, path);
  const full = (target: string, path: string) => ({ target, mode: "full", base: null, path: at(path), backing: null });
  const incremental = (target: string, base: string, path: string, backing: string) => ({
    target,
    mode: "incremental",
    base,
    path: at(path),
    backing: at(backing),
  });
  const begin = async (checkpointId: string, disks: object[], of: LabVm = vm): Promise<CurrentBackup> => {
    const { status, body } = await agent.post(`/v1/domains/${of.id}/backups`, { checkpointId, disks });
    expect([status, body]).toEqual([202, expect.anything()]);
    return currentBackupSchema.parse(body);
  };
  const current = async (of: LabVm = vm): Promise<CurrentBackup> =>
    currentBackupSchema.parse((await agent.get(`/v1/domains/${of.id}/backups/current`)).body);
  const ended = (of: LabVm = vm): Promise<CurrentBackup> =>
    until("the backup to end", 20_000, async () => {
      const seen = await current(of);
      return seen.state === "running" ? null : seen;
    });

  beforeAll(async () => {
    lab = await openLab({ hosts: ["backups"] });
    host = lab.host("backups");
    const disks = [
      { target: "vda", sizeMiB: 256 },
      { target: "vdb", sizeMiB: 32 },
    ];
    vm = await host.defineVm({ name: "guest", disks });
    await vm.start();
    agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
  });
  afterAll(async () => {
    await agent?.stop();
    await lab?.close();
  });

  it("tells that it can make backups and where to, and why not where it cannot", async () => {
    const info = hostInfoSchema.parse((await agent.get("/v1/host")).body);
    expect([info.capabilities.backups, info.repositories]).toEqual([true, [lab.repository]]);
    const without = await AgentProcess.start({ libvirtUri: host.uri, repositories: [at("not-there")] });
    try {
      const other = hostInfoSchema.parse((await without.get("/v1/host")).body);
      expect(other.capabilities.backups).toBe(false);
      expect(other.switchedOff).toContainEqual({ what: `backups to ${at("not-there")}`, why: "it does not exist" });
    } finally {
      await without.stop();
    }
  });

  it("says that there is none before the first", async () => {
    expect(await current()).toMatchObject({ state: "none", checkpointId: null, disks: [] });
  });

  it("makes a full and two mixed backups that restore to the guest's disks, byte for byte", async () => {
    await vm.write("vda", 0, 24 * MIB, 1);
    await vm.write("vdb", MIB, 3 * MIB, 1);
    const first = await begin("one", [full("vda", "guest/one/vda.qcow2"), full("vdb", "guest/one/vdb.qcow2")]);
    expect(first).toMatchObject({ checkpointId: "one", disks: [{ target: "vda", mode: "full" }, { target: "vdb" }] });
    expect(await ended()).toMatchObject({ state: "finished", checkpointId: "one", error: null });

    await vm.write("vda", 8 * MIB, 2 * MIB, 2);
    await vm.write("vda", MIB, MIB, 0);
    await vm.write("vdb", 8 * MIB, MIB, 2);
    await begin("two", [
      incremental("vda", "one", "guest/two/vda.qcow2", "guest/one/vda.qcow2"),
      full("vdb", "guest/two/vdb.qcow2"),
    ]);
    const second = await ended();
    expect(second).toMatchObject({ state: "finished", disks: [{ mode: "incremental" }, { mode: "full" }] });
    expect(second.disks[0]?.bytes).toBeLessThan(8 * MIB);

    await vm.write("vda", 200 * MIB, MIB, 3);
    await vm.write("vdb", 0, 64 * 1024, 3);
    await begin("three", [
      incremental("vda", "two", "guest/three/vda.qcow2", "guest/two/vda.qcow2"),
      incremental("vdb", "two", "guest/three/vdb.qcow2", "guest/two/vdb.qcow2"),
    ]);
    expect(await ended()).toMatchObject({ state: "finished", checkpointId: "three" });
    await vm.stop();
    for (const target of ["vda", "vdb"]) {
      const args = ["compare", "-f", "qcow2", "-F", "qcow2", at(`guest/three/${target}.qcow2`)];
      const { stdout } = await run("qemu-img", [...args, vm.disk(target).path]);
      expect(stdout).toContain("identical");
    }
    await vm.start();
  });
});
