/** Backups of a real host through the agent's API: what is written, how a job ended, and what is left of one that did not. */
import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostInfoSchema } from "#contract/agent.ts";
import { currentBackupSchema } from "#contract/agent-operations.ts";
import type { LabHost } from "#lab/host.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import { nodeOf } from "#lab/qmp.ts";
import type { LabVm } from "#lab/vm.ts";
import { TEMPORARY_CHECKPOINT } from "./operations/host-steps.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { BackupClient } from "./testing/backup-client.ts";
import { addMonitors, atEndOfBackup, beginHeldBackup, type SlowBackup } from "./testing/slow-backup.ts";
import { until } from "./testing/until.ts";

const run = promisify(execFile);
const MIB = 2 ** 20;

describe("backups of a real host", () => {
  let lab: Lab;
  let host: LabHost;
  let agent: AgentProcess;
  let vm: LabVm;
  let backups: BackupClient;
  let monitor: string;
  beforeAll(async () => {
    lab = await openLab({ hosts: ["backups"] });
    host = lab.host("backups");
    const disks = [
      { target: "vda", sizeMiB: 256 },
      { target: "vdb", sizeMiB: 32 },
    ];
    vm = await host.defineVm({ name: "guest", disks });
    monitor = join(lab.dir, "disks", "monitor.sock");
    await addMonitors(vm, [monitor], async (xml) => {
      const file = join(lab.dir, "disks", "guest.xml");
      writeFileSync(file, xml);
      await host.virsh(["define", file]);
    });
    await vm.start();
    agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
    backups = new BackupClient(() => agent, lab.repository);
  });
  afterAll(async () => {
    await agent?.stop();
    await lab?.close();
  });

  it("tells that it can make backups and where to, and why not where it cannot", async () => {
    const info = hostInfoSchema.parse((await agent.get("/v1/host")).body);
    expect([info.capabilities.backups, info.repositories]).toEqual([true, [lab.repository]]);
    const without = await AgentProcess.start({ libvirtUri: host.uri, repositories: [backups.at("not-there")] });
    try {
      const other = hostInfoSchema.parse((await without.get("/v1/host")).body);
      expect(other.capabilities.backups).toBe(false);
      expect(other.switchedOff).toContainEqual({
        what: `backups to ${backups.at("not-there")}`,
        why: "it does not exist",
      });
    } finally {
      await without.stop();
    }
  });

  it("says that there is none before the first", async () => {
    expect(await backups.current(vm.id)).toMatchObject({ state: "none", checkpointId: null, disks: [] });
  });

  it("makes a full and two mixed backups that restore to the guest's disks, byte for byte", async () => {
    await vm.write("vda", 0, 24 * MIB, 1);
    await vm.write("vdb", MIB, 3 * MIB, 1);
    const first = await backups.begin(vm.id, "one", [
      backups.full("vda", "guest/one/vda.qcow2"),
      backups.full("vdb", "guest/one/vdb.qcow2"),
    ]);
    expect(first).toMatchObject({ checkpointId: "one", disks: [{ target: "vda", mode: "full" }, { target: "vdb" }] });
    expect(await backups.ended(vm.id)).toMatchObject({ state: "finished", checkpointId: "one", error: null });

    await vm.write("vda", 8 * MIB, 2 * MIB, 2);
    await vm.write("vda", MIB, MIB, 0);
    await vm.write("vdb", 8 * MIB, MIB, 2);
    await backups.begin(vm.id, "two", [
      backups.incremental("vda", "one", "guest/two/vda.qcow2", "guest/one/vda.qcow2"),
      backups.full("vdb", "guest/two/vdb.qcow2"),
    ]);
    const second = await backups.ended(vm.id);
    expect(second).toMatchObject({ state: "finished", disks: [{ mode: "incremental" }, { mode: "full" }] });
    expect(second.disks[0]?.bytes).toBeLessThan(8 * MIB);

    await vm.write("vda", 200 * MIB, MIB, 3);
    await vm.write("vdb", 0, 64 * 1024, 3);
    await backups.begin(vm.id, "three", [
      backups.incremental("vda", "two", "guest/three/vda.qcow2", "guest/two/vda.qcow2"),
      backups.incremental("vdb", "two", "guest/three/vdb.qcow2", "guest/two/vdb.qcow2"),
    ]);
    expect(await backups.ended(vm.id)).toMatchObject({ state: "finished", checkpointId: "three" });
    await vm.stop();
    for (const target of ["vda", "vdb"]) {
      const args = ["compare", "-f", "qcow2", "-F", "qcow2", backups.at(`guest/three/${target}.qcow2`)];
      const { stdout } = await run("qemu-img", [...args, vm.disk(target).path]);
      expect(stdout).toContain("identical");
    }
    await vm.start();
  });

  it("makes an increment where libvirt, killed as a job ended, has left its own bitmap of that job", async () => {
    await vm.write("vdb", MIB, MIB, 4);
    await backups.make(vm.id, "four", [backups.full("vdb", "guest/four/vdb.qcow2")]);
    const node = await nodeOf((args) => vm.virsh(args), vm.id, vm.disk("vdb").path);
    await vm.qmp({ execute: "block-dirty-bitmap-add", arguments: { node, name: "backup-vdb", persistent: false } });
    const wanted = [backups.incremental("vdb", "four", "guest/five/vdb.qcow2", "guest/four/vdb.qcow2")];
    expect(await backups.make(vm.id, "five", wanted)).toMatchObject({ state: "finished", checkpointId: "five" });
    const names = (await vm.bitmaps()).flatMap(({ target, name }) => (target === "vdb" ? [name] : []));
    expect(names).toEqual(expect.arrayContaining(["four", "five"]));
    expect(names).not.toContain("backup-vdb");
  });

  it("takes a file out of the QEMU in which a killed libvirt forgot it, and removes it; that of another stays", async () => {
    const file = `${vm.id}/forgotten/vdb.qcow2`;
    await backups.make(vm.id, "forgotten", [backups.full("vdb", file)]);
    const add = (args: object) => vm.qmp({ execute: "blockdev-add", arguments: args as Record<string, unknown> });
    // As libvirt adds the target of a backup.
    await add({ driver: "file", "node-name": "libvirt-990-storage", filename: backups.at(file) });
    await add({ driver: "qcow2", "node-name": "libvirt-990-format", file: "libvirt-990-storage" });
    // Another's node on another file: not ours to touch.
    await backups.make(vm.id, "elsewhere", [backups.full("vdb", "guest/elsewhere/vdb.qcow2")]);
    const other = backups.at("guest/elsewhere/vdb.qcow2");
    await add({ driver: "file", "node-name": "libvirt-991-storage", filename: other });
    await add({ driver: "qcow2", "node-name": "libvirt-991-format", file: "libvirt-991-storage" });
    const nodes = async () => {
      const answer = await vm.qmp({ execute: "query-named-block-nodes", arguments: { flat: true } });
      return JSON.stringify(answer).match(/libvirt-99\d-\w+/g) ?? [];
    };
    const { body } = await agent.post("/v1/backups/discard", { paths: [backups.at(file)] });
    expect(body).toEqual({ removed: [backups.at(file)], absent: [] });
    expect(existsSync(backups.at(file))).toBe(false);
    expect([...new Set(await nodes())].sort()).toEqual(["libvirt-991-format", "libvirt-991-storage"]);
    const held = await agent.post("/v1/backups/discard", { paths: [other] });
    expect([held.status, held.body.code]).toEqual([409, "conflict"]);
    for (const name of ["libvirt-991-format", "libvirt-991-storage"])
      await vm.qmp({ execute: "blockdev-del", arguments: { "node-name": name } });
  });

  it("takes a raw disk along in full and leaves it out of the checkpoint; alone it makes none", async () => {
    const disks = [
      { target: "vda", sizeMiB: 8 },
      { target: "vdb", sizeMiB: 8, format: "raw" as const },
    ];
    const mixed = await host.defineVm({ name: "mixed", disks });
    await mixed.start();
    await mixed.write("vdb", MIB, MIB, 6);
    const both = [backups.full("vda", "mixed/1/vda"), backups.full("vdb", "mixed/1/vdb")];
    expect(await backups.make(mixed.id, "one", both)).toMatchObject({ state: "finished", checkpointId: "one" });
    expect((await mixed.checkpoints()).map(({ disks: on }) => on.map(({ target }) => target))).toEqual([["vda"]]);
    const alone = await backups.make(mixed.id, "two", [backups.full("vdb", "mixed/2/vdb")]);
    expect(alone).toMatchObject({ state: "finished", checkpointId: null });
    expect(await mixed.checkpoints()).toHaveLength(1);
    const wanted = [backups.incremental("vdb", "one", "mixed/3/vdb", "mixed/1/vdb")];
    const refused = await backups.ask(mixed.id, { checkpointId: "three", disks: wanted });
    expect([refused.status, refused.body.errors]).toMatchObject([422, [{ field: "disks[0].mode" }]]);
    await mixed.stop();
    const [proof] = await backups.verdicts({ vdb: "mixed/2/vdb" }, { vmId: mixed.id });
    expect(proof).toMatchObject({ comparedWithDisk: "equal" });
  });

  it("takes away what a killed deletion left in libvirt's list, so that no new checkpoint hangs on it", async () => {
    const swept = await host.defineVm({ name: "swept", disks: [{ target: "vda", sizeMiB: 8 }] });
    await swept.start();
    // The agent is connected by the end of a backup, and sweeps by itself only when it connects.
    await backups.make(swept.id, "zero", [backups.full("vda", "swept/0/vda")]);
    await swept.deleteCheckpoint("zero");
    const createdAt = "2026-01-01T00:00:00.000Z";
    await swept.redefine({ id: TEMPORARY_CHECKPOINT, createdAt, disks: [{ target: "vda", bitmap: "gone" }] });
    await backups.make(swept.id, "one", [backups.full("vda", "swept/1/vda")]);
    expect((await swept.checkpoints()).map(({ id, parentId }) => [id, parentId])).toEqual([["one", null]]);
    await swept.stop();
  });

  it("tells which disk it was when only libvirt sees that a base is broken, in libvirt's words, and leaves nothing", async () => {
    const broken = await host.defineVm({ name: "broken", disks: [{ target: "vda", sizeMiB: 8 }] });
    await broken.start();
    await backups.make(broken.id, "one", [backups.full("vda", "broken/1/vda")]);
    const node = await nodeOf((args) => broken.virsh(args), broken.id, broken.disk("vda").path);
    await broken.qmp({ execute: "block-dirty-bitmap-remove", arguments: { node, name: "one" } });
    // It may not ask QEMU for the bitmaps, so nothing speaks against it before libvirt does.
    const blind = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository], qmp: "forbid" });
    try {
      const asked = new BackupClient(() => blind, lab.repository);
      const disks = [asked.incremental("vda", "one", "broken/2/vda", "broken/1/vda")];
      const { body } = await asked.ask(broken.id, { checkpointId: "two", disks });
      expect(body).toMatchObject({
        state: "failed",
        error: { code: "checkpoint-inconsistent", libvirtCode: 109, retryable: false, disks: ["vda"] },
      });
      expect(currentBackupSchema.parse(body).error?.hostMessage).toContain("missing or broken bitmap 'one'");
      expect((await broken.checkpoints()).map(({ id }) => id)).toEqual(["one"]);
      expect(existsSync(backups.at("broken/2"))).toBe(false);
    } finally {
      await blind.stop();
    }
    await broken.stop();
  });

  // Only root can start an agent as another account.
  const itAsRoot = it.runIf(process.getuid?.() === 0);
  itAsRoot("an agent neither root nor QEMU's account, but in its group, backs up, verifies and discards", async () => {
    // What an administrator gives: the way to libvirt's socket, and a repository and images that the group may use.
    // Debian's and Ubuntu's own account `backup`: libvirt serves nobody whom the system does not know.
    const group = { uid: 34, gid: lab.context.account?.gid ?? process.getgid?.() ?? 0 };
    // Its own group is another: QEMU's is only one of those that it is in besides, as in the unit that we ship.
    const account = { uid: group.uid, gid: 34, groups: [group.gid] };
    const repository = join(lab.repository, "group");
    mkdirSync(repository);
    chownSync(repository, 0, group.gid);
    chmodSync(repository, 0o770);
    for (const folder of [join(lab.dir, "h", host.name), dirname(dirname(host.socket)), dirname(host.socket)])
      chmodSync(folder, 0o750);
    chmodSync(host.socket, 0o770);
    const shared = await host.defineVm({ name: "shared", disks: [{ target: "vda", sizeMiB: 16 }] });
    chmodSync(shared.disk("vda").path, 0o660);
    await shared.start();
    const member = await AgentProcess.start({ libvirtUri: host.uri, repositories: [repository], as: account });
    try {
      const asked = new BackupClient(() => member, repository);
      await until("the agent to be connected", 30_000, async () => {
        const { capabilities, connection } = hostInfoSchema.parse((await member.get("/v1/host")).body);
        return (capabilities.backups && connection.state === "connected") || null;
      });
      await shared.write("vda", 0, 2 * MIB, 4);
      expect(await asked.make(shared.id, "one", [asked.full("vda", "1/vda")])).toMatchObject({ state: "finished" });
      await shared.write("vda", 4 * MIB, MIB, 5);
      const second = [asked.incremental("vda", "one", "2/vda", "1/vda")];
      expect(await asked.make(shared.id, "two", second)).toMatchObject({ state: "finished", error: null });
      const { uid, gid, mode } = statSync(asked.at("2/vda"));
      expect([uid, gid, mode & 0o777]).toEqual([group.uid, group.gid, 0o660]);
      const extents = await member.get(`/v1/domains/${shared.id}/disks/vda/bitmaps/two/extents`);
      expect([extents.status, extents.body.source]).toEqual([200, "backup-live"]);
      await shared.stop();
      const [proof] = await asked.verdicts({ vda: "2/vda" }, { vmId: shared.id, checkpointId: "two" });
      expect(proof).toMatchObject({ comparedWithDisk: "equal", error: null });
      const { body } = await asked.discard(["2/vda"]);
      expect(body).toEqual({ removed: [asked.at("2/vda")], absent: [] });
      expect(existsSync(asked.at("2"))).toBe(false);
    } finally {
      await member.stop();
    }
  });

  describe("interrupted", () => {
    /** A full backup of vda that lasts until `release`. */
    const beginSlow = async (name: string, file = `guest/${name}/vda.qcow2`): Promise<SlowBackup> => {
      const disks = [backups.full("vda", file)];
      const undo = () => backups.undo(vm.id, name, disks);
      const held = await beginHeldBackup({ vda: monitor }, () => backups.begin(vm.id, name, disks), undo);
      return held.get("vda") as SlowBackup;
    };
    const checkpoints = async (): Promise<string[]> => (await vm.checkpoints()).map(({ id }) => id);
    beforeAll(async () => {
      // More than a blink of copying.
      await vm.write("vda", 0, 240 * MIB, 9);
    });

    it("shows a job that runs with its progress, and refuses a second one naming it", async () => {
      const slow = await beginSlow("seen");
      const seen = await backups.current(vm.id);
      expect(seen).toMatchObject({ state: "running", checkpointId: "seen", endedAt: null, error: null });
      expect(seen.progress?.totalBytes).toBe(256 * MIB);
      expect(seen.progress?.doneBytes).toBeLessThan(256 * MIB);
      const second = { checkpointId: "second", disks: [backups.full("vdb", "guest/second/vdb.qcow2")] };
      const { status, body } = await backups.ask(vm.id, second);
      expect([status, body.code]).toEqual([409, "vm_busy"]);
      expect(body.detail).toContain("backup");
      expect(existsSync(backups.at("guest/second"))).toBe(false);
      slow.release();
      expect(await backups.ended(vm.id)).toMatchObject({ state: "finished", checkpointId: "seen" });
      slow.close();
    });

    it("aborts a job, says so from then on, and leaves checkpoint and file for its caller to decide", async () => {
      const slow = await beginSlow("given-up");
      const held = await agent.post("/v1/backups/discard", { paths: [backups.at("guest/given-up/vda.qcow2")] });
      expect([held.status, held.body.code]).toEqual([409, "conflict"]);
      const { status, body } = await backups.abort(vm.id);
      expect([status, body.state]).toEqual([200, "aborted"]);
      expect(await backups.current(vm.id)).toMatchObject({ state: "aborted", checkpointId: "given-up" });
      expect(await checkpoints()).toContain("given-up");
      const gone = await agent.post("/v1/backups/discard", { paths: [backups.at("guest/given-up/vda.qcow2")] });
      expect(gone.body).toEqual({ removed: [backups.at("guest/given-up/vda.qcow2")], absent: [] });
      expect(existsSync(backups.at("guest/given-up"))).toBe(false);
      slow.close();
    });

    it("leaves a file in QEMU while a job writes to it, also where its folder is named after the VM", async () => {
      const file = `${vm.id}/at-work/vda.qcow2`;
      const slow = await beginSlow("at-work", file);
      const held = await agent.post("/v1/backups/discard", { paths: [backups.at(file)] });
      expect([held.status, held.body.code]).toEqual([409, "conflict"]);
      expect(existsSync(backups.at(file))).toBe(true);
      slow.release();
      expect(await backups.ended(vm.id)).toMatchObject({ state: "finished", checkpointId: "at-work" });
      slow.close();
    });

    it("says aborted when somebody else aborted it", async () => {
      const slow = await beginSlow("taken-away");
      await vm.abortJob();
      expect(await backups.ended(vm.id)).toMatchObject({
        state: "aborted",
        error: { message: "Somebody aborted the backup." },
      });
      slow.close();
    });

    it("goes on with a job over a killed agent, and knows it for the same", async () => {
      const slow = await beginSlow("survivor");
      const { startedAt } = await backups.current(vm.id);
      await agent.kill();
      agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
      expect(await backups.current(vm.id)).toMatchObject({ state: "running", checkpointId: "survivor", startedAt });
      slow.release();
      expect(await backups.ended(vm.id)).toMatchObject({ state: "finished", checkpointId: "survivor" });
      slow.close();
    });

    it("never says finished of a job that ended while no agent looked and that another one hides", async () => {
      const slow = await beginSlow("unseen");
      await backups.current(vm.id);
      await agent.kill();
      await vm.abortJob();
      slow.close();
      await lab.vm(vm.id).backupBegin({ mode: "push", disks: { vdb: { path: backups.at("foreign.qcow2") } } });
      await until("the foreign job to end", 10_000, async () => {
        const told = await vm.virsh(["domjobinfo", vm.id]);
        return told.includes("None") || null;
      });
      agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
      expect(await backups.current(vm.id)).toMatchObject({
        state: "ended-unseen",
        checkpointId: "unseen",
        error: null,
      });
    });

    it("keeps how a job ended over a restart", async () => {
      await backups.begin(vm.id, "kept", [backups.full("vdb", "guest/kept/vdb.qcow2")]);
      const end = await backups.ended(vm.id);
      expect(end).toMatchObject({ state: "finished", checkpointId: "kept" });
      await agent.stop();
      agent = await AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
      expect(await backups.current(vm.id)).toEqual(end);
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
      await backups.abort(vm.id);
      expect(await backups.current(vm.id)).toMatchObject({ state: "aborted", checkpointId: "daemon" });
    });

    it("knows a backup that libvirt lost as it was killed: none can begin, checkpoints can be removed, a restart ends it", async () => {
      // QEMU does not answer, so libvirt dies between noting that it holds the VM for a backup and noting the backup.
      vm.pauseProcess();
      const status = join(lab.dir, "h", "backups", "run", "libvirt", "qemu", "run", `${vm.name}.xml`);
      const begin = vm.backupBegin({ mode: "push", disks: { vdb: { path: backups.at("lost.qcow2") } } });
      const refused = expect(begin).rejects.toThrow();
      await until(
        "libvirt to hold the VM",
        10_000,
        () => readFileSync(status, "utf8").includes("async='backup'") || null,
      );
      await host.killDaemon();
      vm.resumeProcess();
      await refused;
      await host.startDaemon();
      const seen = await until("the VM to be read again", 15_000, async () => {
        const item = await agent.observeOne(vm.id);
        return item.type === "observation" && item.observation.job.ok ? item.observation.job.value : null;
      });
      expect(seen.operation).toBe("lost-backup");
      expect(await backups.current(vm.id)).toMatchObject({ state: "aborted", checkpointId: "daemon" });

      const { body } = await backups.ask(vm.id, {
        checkpointId: "x",
        disks: [backups.full("vdb", "guest/x/vdb.qcow2")],
      });
      expect(body).toMatchObject({ state: "failed", error: { code: "lock-held", retryable: false } });
      expect(currentBackupSchema.parse(body).error?.message).toContain("restart libvirt");
      expect(existsSync(backups.at("guest/x"))).toBe(false);
      await vm.checkpoint("in-between");
      const gone = await agent.post(`/v1/domains/${vm.id}/checkpoints/delete`, { ids: ["in-between"] });
      expect(gone.body.results).toMatchObject([{ id: "in-between", outcome: "deleted" }]);

      await vm.stop();
      await host.killDaemon();
      await host.startDaemon();
      await vm.start();
      const after = await backups.make(vm.id, "after", [backups.full("vdb", "guest/after/vdb.qcow2")]);
      expect(after).toMatchObject({ state: "finished", checkpointId: "after" });
    });

    it("makes a backup into folders that a killed agent had made and not given to QEMU's account yet", async () => {
      mkdirSync(backups.at("other/half"), { recursive: true, mode: 0o700 });
      rmdirSync(backups.at("other/half"));
      const made = await backups.make(vm.id, "half", [backups.full("vdb", "other/half/vdb.qcow2")]);
      expect(made).toMatchObject({ state: "finished" });
      // One of which only the folder was made goes with it.
      mkdirSync(backups.at("other/none"));
      const { body } = await agent.post("/v1/backups/discard", { paths: [backups.at("other/none/vdb.qcow2")] });
      expect([body.removed, body.absent]).toEqual([[], [backups.at("other/none/vdb.qcow2")]]);
      expect(existsSync(backups.at("other/none"))).toBe(false);
    });

    it("says failed when QEMU is killed in the middle", async () => {
      const slow = await beginSlow("killed");
      slow.close();
      await vm.kill();
      const end = await backups.ended(vm.id);
      expect(end).toMatchObject({ state: "failed", checkpointId: "killed", error: { code: "domain-changed" } });
      await vm.start();
    });

    it("never says finished of files that a killed QEMU had not closed, although libvirt says so of the job", async () => {
      for (const id of ["torn-1", "torn-2"]) {
        await vm.write("vdb", 0, 16 * MIB, 9);
        await vm.flush("vdb");
        const { pid } = vm.process();
        const socket = await atEndOfBackup(monitor, "vdb", () => process.kill(pid, "SIGKILL"));
        const file = `guest/${id}/vdb.qcow2`;
        const asked = await backups.ask(vm.id, { checkpointId: id, disks: [backups.full("vdb", file)] });
        // It may be over, and QEMU dead, before its begin is answered.
        expect(asked.status).toBe(202);
        const made = await backups.ended(vm.id);
        socket.destroy();
        await until("libvirt to see it", 10_000, async () => ((await vm.power()) === "shut off" ? true : null));
        const compare = ["compare", "-f", "qcow2", "-F", "qcow2", backups.at(file), vm.disk("vdb").path];
        const isWhole = await run("qemu-img", compare).then(
          () => true,
          () => false,
        );
        expect([made.state, isWhole]).not.toEqual(["finished", false]);
        expect(["finished", "failed"]).toContain(made.state);
        await vm.start();
      }
    });
  });
});
