/** Backups of a real host through the agent's API: what is written, how a job ended, and what is left of one that did not. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostInfoSchema } from "#contract/agent.ts";
import { type CurrentBackup, currentBackupSchema } from "#contract/agent-operations.ts";
import type { LabHost } from "#lab/host.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { slowDownNextBackup } from "./testing/slow-backup.ts";
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

  describe("interrupted", () => {
    /** A full backup of vda that lasts until `release`. */
    const beginSlow = async (name: string) => {
      const slow = await slowDownNextBackup(host.uri, vm, "vda");
      await begin(name, [full("vda", `guest/${name}/vda.qcow2`)]);
      await slow.caught;
      return slow;
    };
    const checkpoints = async (): Promise<string[]> => (await vm.checkpoints()).map(({ id }) => id);
    beforeAll(async () => {
      // More than a blink of copying.
      await vm.write("vda", 0, 192 * MIB, 9);
    });

    it("shows a job that runs with its progress, and refuses a second one naming it", async () => {
      const slow = await beginSlow("seen");
      const seen = await current();
      expect(seen).toMatchObject({ state: "running", checkpointId: "seen", endedAt: null, error: null });
      expect(seen.progress?.totalBytes).toBe(256 * MIB);
      expect(seen.progress?.doneBytes).toBeLessThan(256 * MIB);
      const second = { checkpointId: "second", disks: [full("vdb", "guest/second/vdb.qcow2")] };
      const { status, body } = await agent.post(`/v1/domains/${vm.id}/backups`, second);
      expect([status, body.code]).toEqual([409, "vm_busy"]);
      expect(body.detail).toContain("backup");
      expect(existsSync(at("guest/second"))).toBe(false);
      await slow.release();
      expect(await ended()).toMatchObject({ state: "finished", checkpointId: "seen" });
      slow.close();
    });

    it("aborts a job, says so from then on, and leaves checkpoint and file for its caller to decide", async () => {
      const slow = await beginSlow("given-up");
      const held = await agent.post("/v1/backups/discard", { paths: [at("guest/given-up/vda.qcow2")] });
      expect([held.status, held.body.code]).toEqual([409, "conflict"]);
      const { status, body } = await agent.delete(`/v1/domains/${vm.id}/backups/current`);
      expect([status, body.state]).toEqual([200, "aborted"]);
      expect(await current()).toMatchObject({ state: "aborted", checkpointId: "given-up" });
      expect(await checkpoints()).toContain("given-up");
      const gone = await agent.post("/v1/backups/discard", { paths: [at("guest/given-up/vda.qcow2")] });
      expect(gone.body).toEqual({ removed: [at("guest/given-up/vda.qcow2")], absent: [] });
      expect(existsSync(at("guest/given-up"))).toBe(false);
      slow.close();
    });

    it("says aborted when somebody else aborted it", async () => {
      const slow = await beginSlow("taken-away");
      await vm.abortJob();
      expect(await ended()).toMatchObject({ state: "aborted", error: { message: "Somebody aborted the backup." } });
      slow.close();
    });

    it("goes on with a job over a killed agent, and knows it for the same", async () => {
      const slow = await beginSlow("survivor");
      const { startedAt } = await current();
      await agent.kill();
      agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
      expect(await current()).toMatchObject({ state: "running", checkpointId: "survivor", startedAt });
      await slow.release();
      expect(await ended()).toMatchObject({ state: "finished", checkpointId: "survivor" });
      slow.close();
    });

    it("never says finished of a job that ended while no agent looked and that another one hides", async () => {
      const slow = await beginSlow("unseen");
      await current();
      await agent.kill();
      await vm.abortJob();
      slow.close();
      await lab.vm(vm.id).backupBegin({ mode: "push", disks: { vdb: { path: at("foreign.qcow2") } } });
      await until("the foreign job to end", 10_000, async () => {
        const told = await vm.virsh(["domjobinfo", vm.id]);
        return told.includes("None") || null;
      });
      agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
      expect(await current()).toMatchObject({ state: "ended-unseen", checkpointId: "unseen", error: null });
    });

    it("keeps how a job ended over a restart", async () => {
      await begin("kept", [full("vdb", "guest/kept/vdb.qcow2")]);
      const end = await ended();
      expect(end).toMatchObject({ state: "finished", checkpointId: "kept" });
      await agent.stop();
      agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
      expect(await current()).toEqual(end);
    });

    it("finds its job again after libvirtd was killed in the middle", async () => {
      const slow = await beginSlow("daemon");
      slow.close();
      await host.killDaemon();
      await host.startDaemon();
      const again = await until("the job to be read again", 15_000, async () => {
        const { status, body } = await agent.get(`/v1/domains/${vm.id}/backups/current`);
        return status === 200 ? currentBackupSchema.parse(body) : null;
      });
      expect(again).toMatchObject({ state: "running", checkpointId: "daemon" });
      await agent.delete(`/v1/domains/${vm.id}/backups/current`);
      expect(await current()).toMatchObject({ state: "aborted", checkpointId: "daemon" });
    });

    it("says failed when QEMU is killed in the middle", async () => {
      const slow = await beginSlow("killed");
      slow.close();
      await vm.kill();
      const end = await ended();
      expect(end).toMatchObject({ state: "failed", checkpointId: "killed", error: { code: "domain-changed" } });
      await vm.start();
    });
  });
});
