/** A backup is undone and the host cannot show what it left: nothing is forgotten that may still be there. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { getBackup, getJob, listBackups, listJobs, readRecord } from "#db/index.ts";
import { JobLab } from "../testing/job-lab.ts";
import { ended, readAll, run } from "../testing/plan-job.ts";
import { openRig, type Rig, until } from "../testing/rig.ts";

describe("on a real host", () => {
  let lab: JobLab;
  beforeAll(async () => {
    lab = await JobLab.open();
  }, 120_000);
  afterAll(() => lab?.close(), 60_000);

  test("the checkpoint of a VM that was undefined and stopped in mid-backup stays until it is back, and then its bitmaps go", async () => {
    const vm = await lab.newVm("undefined-meanwhile", [], { isSlow: true });
    await lab.fill(vm);
    const { jobId, close } = await lab.slowBackup(vm);
    const [made] = (await lab.recordOf(vm)) ?? [];
    const xml = await vm.virsh(["dumpxml", "--inactive", vm.id]);
    await vm.virsh(["undefine", vm.id, "--checkpoints-metadata"]);
    await vm.stop();
    close();
    const job = await ended(lab.engine, jobId);
    expect(job).toMatchObject({ state: "failed", error: expect.stringContaining("does not know the VM now") });
    expect(await lab.recordOf(vm)).toMatchObject([{ id: made?.id, state: "deleting" }]);
    expect((await lab.backupsOf(vm))[0]).toMatchObject({ state: "failed" });

    await lab.defineAsWritten(vm, xml);
    expect(await lab.bitmapsOn(vm)).toEqual([`vda:${made?.id}`, `vdb:${made?.id}`]);
    await vm.start();
    await readAll(lab.engine, vm.id);
    await until(
      () => lab.recordOf(vm),
      (record) => record?.length === 0,
      60_000,
    );
    await lab.expectNothingLeft(vm);
    await vm.stop();
  }, 180_000);
});

describe("on a simulated host", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig();
  }, 60_000);
  afterAll(() => rig.close());

  test.each([
    ["a backup that nobody watched to its end", "creating"],
    ["a backup that is being undone", "deleting"],
  ])("%s keeps its row while a disk that may hold its bitmap cannot be read", async (_, state) => {
    const host = await rig.newHost(`unread-${state}`);
    const engine = await rig.newEngine(await rig.newDatabase(), [host]);
    const { orm } = engine.db;
    const vmId = randomUUID();
    host.sim.define(vmId, `unread-${state}`, [{ target: "vda", sizeMiB: 4 }]);
    host.sim.start(vmId);
    await readAll(engine, vmId);
    await run(engine, vmId, { intent: "backup", mode: "auto", disks: null, repository: null });
    const checkpointId = (await readRecord(orm, vmId))?.checkpoints[0]?.id ?? "";
    // libvirt has lost job and list, and the disk is in somebody's hands.
    host.sim.changeDomain(vmId, (domain) => {
      domain.checkpoints = [];
      domain.backup = undefined;
      for (const disk of domain.disks) disk.failure = "image-locked";
    });
    await engine.db.pool.query(
      `with b as (update vm_backups set state = 'running', ended_at = null) update vm_checkpoints set state = '${state}'`,
    );
    await until(
      async () => {
        const { items } = await listJobs(orm, { vmId, before: null, limit: 1 });
        return items[0] ? getJob(orm, items[0].id) : null;
      },
      (job) => job?.steps.some((step) => step.state === "running" && step.error !== null) ?? false,
    );
    expect((await readRecord(orm, vmId))?.checkpoints).toMatchObject([{ id: checkpointId }]);
    host.sim.changeDisk(vmId, "vda", (disk) => {
      disk.failure = null;
    });
    const { id = "" } = (await listBackups(orm, { vmId, before: null, limit: 1 })).items[0] ?? {};
    await until(
      () => getBackup(orm, id),
      (backup) => backup?.state === "failed",
      30_000,
    );
    expect((await readRecord(orm, vmId))?.checkpoints).toEqual([]);
    host.sim.changeDisk(vmId, "vda", (disk) => expect(disk.layers[0]?.bitmaps).toEqual([]));
  });
});
