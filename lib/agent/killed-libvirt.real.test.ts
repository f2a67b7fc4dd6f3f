/** What a killed libvirt leaves behind that it does not clear up itself when it is back, each made step by step. */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import { nodeOf } from "#lab/qmp.ts";
import type { LabVm } from "#lab/vm.ts";
import { AgentProcess } from "./testing/agent-process.ts";
import { askQemu } from "./testing/ask-qemu.ts";
import { BackupClient } from "./testing/backup-client.ts";
import { observationOf } from "./testing/rig.ts";
import { addMonitors, beginHeldBackup } from "./testing/slow-backup.ts";
import { until } from "./testing/until.ts";

const MIB = 2 ** 20;
type Job = { id: string; status: string };

describe("after libvirt was killed", () => {
  let lab: Lab;
  let host: LabHost;
  let agent: AgentProcess;
  let vm: LabVm;
  let backups: BackupClient;
  const monitorOf = (target: string) => join(lab.dir, "disks", `${target}.sock`);
  beforeAll(async () => {
    lab = await openLab({ hosts: ["killed"] });
    host = lab.host("killed");
    vm = await host.defineVm({ name: "guest", disks: ["vda", "vdb"].map((target) => ({ target, sizeMiB: 256 })) });
    await addMonitors(vm, [monitorOf("vda"), monitorOf("vdb")], async (xml) => {
      const file = join(lab.dir, "disks", "guest.xml");
      writeFileSync(file, xml);
      await host.virsh(["define", file]);
    });
    await vm.start();
    agent = await startAgent();
    backups = new BackupClient(() => agent, lab.repository);
  });
  afterAll(async () => {
    await agent?.stop();
    await lab?.close();
  });

  const listed = async (): Promise<string[]> => (await vm.checkpoints()).map(({ id }) => id);
  /** By the monitor of that disk; null: it is not free yet, or there is none. */
  async function findJob(target: string): Promise<Job | null> {
    const jobs = (await askQemu(monitorOf(target), "query-jobs").catch(() => [])) as Job[];
    return jobs.find(({ id }) => id.startsWith(`backup-${target}-`)) ?? null;
  }
  const startAgent = () => AgentProcess.start({ libvirtUri: host.uri, repositories: [lab.repository] });
  async function restartLibvirt(
    meanwhile: () => Promise<void> | void = () => {},
    { isAgentKilled = false } = {},
  ): Promise<void> {
    await host.killDaemon();
    if (isAgentKilled) await agent.kill();
    await meanwhile();
    await host.startDaemon();
    if (isAgentKilled) agent = await startAgent();
    await until("the agent to read the host again", 20_000, async () => {
      const item = await agent.observeOne(vm.id);
      return item.type === "observation" || null;
    });
  }

  it("a checkpoint that it had written and not renamed is deleted for good, not until its next start", async () => {
    const folder = join(lab.dir, "h", "killed", "cfg", "libvirt", "qemu", "checkpoint", vm.name);
    for (const [metadataOnly, id] of [
      [false, "half"],
      [true, "bare"],
    ] as const) {
      await vm.checkpoint(id);
      const file = join(folder, `${id}.xml`);
      await restartLibvirt(() => renameSync(file, `${file}.new`));
      expect(await listed()).toContain(id);
      if (metadataOnly) {
        for (const target of ["vda", "vdb"]) {
          const node = await nodeOf((args) => vm.virsh(args), vm.id, vm.disk(target).path);
          await vm.qmp({ execute: "block-dirty-bitmap-remove", arguments: { node, name: id } });
        }
      }
      const { body } = await agent.post(`/v1/domains/${vm.id}/checkpoints/delete`, { ids: [id] });
      expect(body.results).toMatchObject([{ id, outcome: metadataOnly ? "metadata-only" : "deleted" }]);
      await restartLibvirt();
      expect(await listed()).not.toContain(id);
    }
  });

  it.each([
    ["unseen", "is ended and told why, and can be removed"],
    ["unseen-by-both", "is ended as well by an agent that was killed with it"],
  ])("a backup of which QEMU had ended one disk (%s) %s", async (id) => {
    const isAgentKilled = id === "unseen-by-both";
    for (const target of ["vda", "vdb"]) await vm.write(target, 0, 192 * MIB, 9);
    const files = ["vda", "vdb"].map((target) => backups.full(target, `${vm.id}/${id}/${target}.qcow2`));
    const slow = await beginHeldBackup(
      { vda: monitorOf("vda"), vdb: monitorOf("vdb") },
      () => backups.begin(vm.id, id, files),
      () => backups.undo(vm.id, id, files),
    );
    await restartLibvirt(
      async () => {
        // As libvirt does at the end of a job, and was killed before it had noted it.
        slow.get("vdb")?.close();
        const job = await until("QEMU to tell of the copy of vdb", 5_000, () => findJob("vdb"));
        await askQemu(monitorOf("vdb"), "block-job-set-speed", { device: job.id, speed: 0 });
        await until("QEMU to end it", 20_000, async () => (await findJob("vdb"))?.status === "concluded" || null);
        await askQemu(monitorOf("vdb"), "job-dismiss", { id: job.id });
      },
      { isAgentKilled },
    );
    expect(await backups.current(vm.id)).toMatchObject({ state: "running", checkpointId: id });
    slow.get("vda")?.release();
    const ended = await backups.ended(vm.id);
    expect(ended).toMatchObject({ state: "failed", checkpointId: id, error: { retryable: true } });
    expect(ended.error?.message).toContain("libvirt was restarted");
    slow.get("vda")?.close();

    const gone = await agent.post(`/v1/domains/${vm.id}/checkpoints/delete`, { ids: [id] });
    expect(gone.body.results).toMatchObject([{ id, outcome: "deleted" }]);
    const paths = files.map(({ path }) => path);
    const discarded = await agent.post("/v1/backups/discard", { paths });
    expect(discarded.body).toEqual({ removed: paths, absent: [] });
    expect(paths.filter((path) => existsSync(path))).toEqual([]);
    const next = await backups.make(vm.id, `${id}-next`, [backups.full("vdb", `${vm.id}/${id}-next/vdb.qcow2`)]);
    expect(next).toMatchObject({ state: "finished", checkpointId: `${id}-next` });
  });

  it("a VM whose state it cannot read again is no stopped VM: cannot tell, naming its QEMU; ended as told it loses no bitmap", async () => {
    await vm.checkpoint("kept");
    const { pid } = vm.process();
    const state = join(lab.dir, "h", "killed", "run", "libvirt", "qemu", "run", `${vm.name}.xml`);
    // libvirt 9.0 leaves one without a state for a disk of a backup that is about to begin: it does not read that either.
    await restartLibvirt(() => writeFileSync(state, "<domstatus state='running'"));
    expect(await vm.power()).toBe("shut off");
    const seen = observationOf(await agent.observeOne(vm.id));
    expect(seen.disks.map(({ layers }) => layers)).toEqual(
      ["vda", "vdb"].map((target) => ({
        ok: false,
        error: expect.objectContaining({
          code: "image-locked",
          message: expect.stringContaining("this libvirt says that the VM is shut off"),
          hostMessage: `QEMU's lock on ${vm.disk(target).path} is held; process ${pid} is a QEMU of this VM`,
        }),
      })),
    );
    const ask = { checkpointId: "x", disks: [backups.full("vdb", `${vm.id}/x/vdb.qcow2`)] };
    expect((await backups.ask(vm.id, ask)).body).toMatchObject({ state: "failed" });
    const { body } = await agent.post(`/v1/domains/${vm.id}/checkpoints/delete`, { ids: ["kept"] });
    expect(body.results).toMatchObject([{ id: "kept", outcome: "failed", error: { code: "image-locked" } }]);
    await expect(vm.start()).rejects.toThrow(/lock/);

    process.kill(pid, "SIGTERM");
    await until("that QEMU to end", 20_000, () => !isRunning(pid) || null);
    await vm.start();
    const kept = (await vm.bitmaps()).filter(({ name }) => name === "kept");
    expect(kept.map(({ recording, inconsistent }) => [recording, inconsistent])).toEqual([
      [true, false],
      [true, false],
    ]);
    expect(await listed()).toContain("kept");
  });
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
