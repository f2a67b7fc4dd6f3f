/** What stands in a job's way on a real host: a broken bitmap, a QEMU that hangs, a full disk. */
import { expect, test } from "vitest";
import { getJob, inTransaction, lockVm } from "#db/index.ts";
import type { LabVm } from "#lab/vm.ts";
import { BACKUP, type JobLab, MIB } from "./job-lab.ts";
import { ended, enqueuePlan, planOf, readAll, run } from "./plan-job.ts";
import { until } from "./rig.ts";
import { openSmallFolder } from "./small-folder.ts";

export function testObstacles(get: () => JobLab): void {
  const plan = async (vm: LabVm, request: Parameters<typeof planOf>[2]) => {
    await readAll(get().engine, vm.id);
    return inTransaction(get().engine.db, (tx) => planOf(tx, vm.id, request));
  };
  const begin = (vm: LabVm, made: Awaited<ReturnType<typeof plan>>) =>
    inTransaction(get().engine.db, async (tx) => {
      await lockVm(tx, { id: vm.id });
      return enqueuePlan(tx, vm.id, made);
    });
  const forget = async (vm: LabVm, ids: string[]) => {
    for (const id of ids.toReversed()) await vm.deleteCheckpoint(id, { metadataOnly: true });
  };

  test("a QEMU that hangs: redefine, heal and prune wait with the host's own words, drop nothing, and end well when it goes on", async () => {
    const lab = get();
    const ids = ["cp1", "cp2", "cp3"];
    const [lost, broken, old] = await Promise.all(
      ["hung-lost", "hung-broken", "hung-old"].map((n) => lab.newVm(n, ids)),
    );
    if (!lost || !broken || !old) throw new Error("no VMs");
    const vms = [lost, broken, old];
    await forget(lost, ids);
    await lab.removeLive(broken, "vda", "cp2");
    const plans = [
      await plan(lost, { intent: "redefine", mode: "strict" }),
      await plan(broken, { intent: "heal", mode: "salvage", findings: null }),
      await plan(old, { intent: "prune", rule: { keepLast: 1 } }),
    ];
    let jobIds: string[] = [];
    for (const vm of vms) vm.pauseProcess();
    try {
      jobIds = await Promise.all(plans.map((made, i) => begin(vms[i] as LabVm, made)));
      for (const jobId of jobIds) {
        const waiting = await until(
          () => getJob(lab.engine.db.orm, jobId),
          (job) => job?.steps.some((step) => step.state === "running" && step.error !== null) ?? false,
          60_000,
        );
        const step = waiting?.steps.find((one) => one.state === "running" && one.error !== null);
        expect([waiting?.state, waiting?.error]).toEqual(["running", null]);
        expect(step?.error).toMatch(/did not answer/);
      }
      for (const vm of vms) expect((await lab.recordOf(vm))?.map((item) => item.id)).toEqual(ids);
    } finally {
      for (const vm of vms) vm.resumeProcess();
    }
    for (const jobId of jobIds)
      expect(await ended(lab.engine, jobId, 90_000)).toMatchObject({
        state: "succeeded",
        proof: { agreement: "agrees", left: [] },
      });
    expect(await lab.listedOn(lost)).toEqual(ids);
    expect(await lab.bitmapsOn(broken)).toEqual(["vda:cp1", "vda:cp3", "vdb:cp1", "vdb:cp2", "vdb:cp3"]);
    expect(await lab.listedOn(old)).toEqual(["cp3"]);
    await Promise.all(vms.map((vm) => vm.stop()));
  });

  test("a strict redefine whose bitmap broke after the plan defines none and names checkpoint, disk and state; a salvage defines the others; again changes nothing", async () => {
    const lab = get();
    const ids = ["cp1", "cp2", "cp3", "cp4"];
    const vm = await lab.newVm("strict", ids);
    await forget(vm, ids);
    const strict = await plan(vm, { intent: "redefine", mode: "strict" });
    const salvage = await plan(vm, { intent: "redefine", mode: "salvage" });
    await lab.removeLive(vm, "vdb", "cp3");

    const refused = await ended(lab.engine, await begin(vm, strict));
    expect(refused.state).toBe("failed");
    expect(refused.error).toContain("Strict: nothing was defined");
    expect(refused.error).toContain("cp3: its bitmap on vdb is missing");
    expect(await vm.checkpoints()).toEqual([]);
    expect(refused.steps.filter((step) => step.state === "succeeded")).toEqual([]);
    expect(refused.steps.find((step) => step.subject.includes("cp3"))).toMatchObject({
      state: "failed",
      error: expect.stringContaining("vdb is missing"),
    });
    expect((await lab.recordOf(vm))?.map((item) => item.id)).toEqual(ids);

    const salvaged = await ended(lab.engine, await begin(vm, salvage));
    expect(salvaged.steps.filter((step) => step.outcome === "defined")).toHaveLength(3);
    expect(salvaged.steps.find((step) => step.subject.includes("cp3"))?.error).toContain("vdb is missing");
    const listed = await vm.checkpoints();
    expect(listed.map(({ id, parentId }) => [id, parentId])).toEqual([
      ["cp1", null],
      ["cp2", "cp1"],
      ["cp4", "cp2"],
    ]);
    // One plan runs once; the same wish again is what a killed process would do.
    const again = await ended(lab.engine, await begin(vm, salvage));
    expect(again.steps.filter((step) => step.outcome === "already there")).toHaveLength(3);
    expect(await vm.checkpoints()).toEqual(listed);
    await vm.stop();
  });

  test("a repository that is full fails the backup with the host's words and leaves nothing; the next one works", async () => {
    const lab = get();
    const vm = await lab.newVm("full-disk");
    await vm.write("vda", 0, 2 * MIB, 1);
    expect((await run(lab.engine, vm.id, BACKUP)).state).toBe("succeeded");
    const [first] = await lab.backupsOf(vm);
    const base = first?.checkpointId ?? "";
    await vm.write("vda", 0, 12 * MIB, 2);
    const small = await openSmallFolder(lab.rig.lab, vm, 4 * MIB);
    try {
      const job = await run(lab.engine, vm.id, { ...BACKUP, repository: small.path });
      expect(job.state).toBe("failed");
      const step = job.steps.find((one) => one.verb === "host.backup");
      expect(step).toMatchObject({ state: "failed", error: expect.stringContaining(small.words.ours) });
      expect(step?.hostMessage).toMatch(small.words.host);
      expect((await lab.backupsOf(vm))[0]).toMatchObject({ state: "failed", error: job.error });
      await lab.expectNothingLeft(vm, [base]);
    } finally {
      await small.close();
    }
    const next = await run(lab.engine, vm.id, BACKUP);
    expect(next).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
    const [last] = await lab.backupsOf(vm);
    expect(last?.disks.map((disk) => disk.base)).toEqual([base, base]);
    await vm.stop();
  });
}
