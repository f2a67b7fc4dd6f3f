/** Disks that are not what they were, through jobs on a real host: a broken base, an older image, one that went, raw ones. */
import { execFile } from "node:child_process";
import { renameSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Plan, PlanRequest } from "#chain/plan/model.ts";
import { inTransaction, lockVm } from "#db/index.ts";
import { copyImage } from "#lab/images.ts";
import type { LabVm } from "#lab/vm.ts";
import { BACKUP, type JobLab, MIB } from "./job-lab.ts";
import { ended, enqueuePlan, planOf, readAll, run } from "./plan-job.ts";

const execute = promisify(execFile);
const repair = (what: { acknowledge?: string[]; retireDisks?: string[] }): PlanRequest => {
  const nothing = { links: false, retireDisks: [], acknowledge: [], closeBackup: false, abortJob: false };
  return { intent: "repair-record", ...nothing, ...what };
};

export function testDisks(get: () => JobLab): void {
  const backUp = async (vm: LabVm) => {
    const job = await run(get().engine, vm.id, BACKUP);
    expect(job).toMatchObject({ state: "succeeded", error: null });
    const [made] = await get().backupsOf(vm);
    if (!made) throw new Error("there is no backup");
    return made;
  };
  const runPlan = async (vm: LabVm, plan: Plan) => {
    const { engine } = get();
    const jobId = await inTransaction(engine.db, async (tx) => {
      await lockVm(tx, { id: vm.id });
      return enqueuePlan(tx, vm.id, plan);
    });
    return ended(engine, jobId);
  };
  /** The stopped VM's disks are what the backup restores to. */
  const expectRestores = async (vm: LabVm, backup: Awaited<ReturnType<typeof backUp>> | undefined) => {
    await vm.stop();
    expect(backup?.disks.length).toBeGreaterThan(0);
    for (const { target, path } of backup?.disks ?? []) {
      const disk = vm.disk(target);
      await execute("qemu-img", ["compare", "-f", disk.format, "-F", "qcow2", disk.path, path ?? ""]);
    }
  };
  const modes = (backup: Awaited<ReturnType<typeof backUp>> | undefined) =>
    backup?.disks.map(({ target, mode, base }) => `${target} ${mode} ${base ?? "-"}`);

  test("a base that breaks after the plan: a backup that must be incremental fails with the reason and leaves nothing, an automatic one takes that disk in full and says so", async () => {
    const lab = get();
    const vm = await lab.newVm("fallback");
    await vm.write("vda", 0, 2 * MIB, 1);
    await vm.write("vdb", 0, 2 * MIB, 2);
    const base = (await backUp(vm)).checkpointId ?? "";
    await vm.write("vda", 4 * MIB, MIB, 3);
    await readAll(lab.engine, vm.id);
    const plans = await inTransaction(lab.engine.db, async (tx) => ({
      must: await planOf(tx, vm.id, { ...BACKUP, mode: "incremental" }),
      may: await planOf(tx, vm.id, BACKUP),
    }));
    await lab.removeLive(vm, "vda", base);

    const refused = await runPlan(vm, plans.must);
    expect(refused).toMatchObject({
      state: "failed",
      error: expect.stringContaining(`vda: bitmap '${base}' is missing`),
    });
    expect(await lab.listedOn(vm)).toEqual([base]);
    expect(await lab.bitmapsOn(vm)).toEqual([`vdb:${base}`]);
    expect((await lab.recordOf(vm))?.map((item) => item.id)).toEqual([base]);
    expect((await lab.backupsOf(vm))[0]).toMatchObject({ state: "failed", error: refused.error });

    const made = await runPlan(vm, plans.may);
    expect(made.state).toBe("succeeded");
    const outcomes = made.steps.map((step) => step.outcome).join("; ");
    expect(outcomes).toContain(`vda: taken in full, because its base ${base} could not be used`);
    expect(outcomes).toContain("vdb: incremental");
    const [backup] = await lab.backupsOf(vm);
    expect([backup?.kind, modes(backup)]).toEqual(["mixed", ["vda full -", `vdb incremental ${base}`]]);
    await expectRestores(vm, backup);
  });

  test("an image that was moved on purpose is accepted, its bitmaps go on as bases, and what they give restores byte by byte", async () => {
    const lab = get();
    const vm = await lab.newVm("moved");
    await vm.write("vda", 0, 2 * MIB, 1);
    const base = (await backUp(vm)).checkpointId ?? "";
    await vm.write("vda", 4 * MIB, MIB, 2);
    await vm.stop();
    // An older copy in the disk's place: another file, with the same bitmap.
    const { path } = vm.disk("vda");
    await copyImage(lab.rig.lab.context, path, `${path}.older`);
    await vm.start();
    await vm.write("vda", 8 * MIB, MIB, 3);
    await readAll(lab.engine, vm.id);
    await vm.stop();
    renameSync(`${path}.older`, path);
    await vm.start();
    await readAll(lab.engine, vm.id);
    const id = "disk.replaced||vda|";
    expect(await lab.findingsOf(vm)).toContain(id);

    const accepted = await run(lab.engine, vm.id, repair({ acknowledge: [id] }));
    expect(accepted).toMatchObject({ state: "succeeded", proof: { agreement: "agrees", gone: [id], left: [] } });
    expect(accepted.steps.find((step) => step.verb === "record.accept-images")).toMatchObject({ state: "succeeded" });
    expect(await lab.findingsOf(vm)).toEqual([]);
    await vm.write("vda", 12 * MIB, MIB, 4);
    const next = await backUp(vm);
    expect(modes(next)).toEqual([`vda incremental ${base}`, `vdb incremental ${base}`]);
    await expectRestores(vm, next);
  });

  test("an older image in the same file is a rewind: it cannot be accepted, a heal takes that disk's chain, and its next backup is full", async () => {
    const lab = get();
    const vm = await lab.newVm("rewound", ["cp1", "cp2"]);
    // Known long before its checkpoints were made.
    await lab.query("update disks set first_seen_at = first_seen_at - interval '1 day' where vm_id = $1", [vm.id]);
    await vm.stop();
    const { path } = vm.disk("vda");
    await copyImage(lab.rig.lab.context, path, `${path}.older`);
    await vm.start();
    await vm.write("vda", 16 * MIB, 2 * MIB, 9);
    await readAll(lab.engine, vm.id);
    await vm.stop();
    await copyImage(lab.rig.lab.context, `${path}.older`, path);
    await vm.start();
    await readAll(lab.engine, vm.id);
    const ids = (await lab.findingsOf(vm)).filter((id) => id.startsWith("bitmap.rewound|"));
    expect(ids.length).toBeGreaterThan(0);
    const accept = run(lab.engine, vm.id, repair({ acknowledge: ids }));
    await expect(accept).rejects.toThrow("cannot be accepted: it has to be put right");

    const healed = await run(lab.engine, vm.id, { intent: "heal", mode: "salvage", findings: null });
    expect(await lab.findingsOf(vm)).toEqual([]);
    expect(healed).toMatchObject({ state: "succeeded", proof: { agreement: "agrees", left: [] } });
    expect(await lab.bitmapsOn(vm)).toEqual(["vdb:cp1", "vdb:cp2"]);
    const next = await backUp(vm);
    expect(next.disks.find((disk) => disk.target === "vda")?.mode).toBe("full");
    await expectRestores(vm, next);
  });

  test("a disk that went is retired and no longer expected; put back, its next backup is full and the other's incremental", async () => {
    const lab = get();
    const vm = await lab.newVm("retired");
    const base = (await backUp(vm)).checkpointId ?? "";
    const { disks } = vm;
    await vm.stop();
    await vm.redefineDisks(disks.filter((disk) => disk.target !== "vdb"));
    await vm.start();
    await readAll(lab.engine, vm.id);
    expect(await lab.findingsOf(vm)).toEqual(["disk.gone||vdb|"]);
    const job = await run(lab.engine, vm.id, repair({ retireDisks: ["vdb"] }));
    expect(job).toMatchObject({ state: "succeeded", proof: { agreement: "agrees", gone: ["disk.gone||vdb|"] } });
    expect(await lab.findingsOf(vm)).toEqual([]);
    const alone = await backUp(vm);
    expect(modes(alone)).toEqual([`vda incremental ${base}`]);

    await vm.stop();
    await vm.redefineDisks(disks);
    await vm.start();
    await vm.write("vdb", MIB, MIB, 6);
    const both = await backUp(vm);
    expect(modes(both)).toEqual([`vda incremental ${alone.checkpointId}`, "vdb full -"]);

    // Covered again it is expected again: what goes from it is told, and it need not be full for ever.
    await vm.write("vdb", 4 * MIB, MIB, 7);
    const next = await backUp(vm);
    expect(modes(next)).toEqual([`vda incremental ${both.checkpointId}`, `vdb incremental ${both.checkpointId}`]);
    await expectRestores(vm, next);
  });

  test("a raw disk is taken in full each time and is in no checkpoint; of raw disks alone no checkpoint is made at all", async () => {
    const lab = get();
    const raw = { target: "vdb", sizeMiB: 16, format: "raw" as const };
    const mixed = await lab.newVm("half-raw", [], { disks: [{ target: "vda", sizeMiB: 16 }, raw] });
    await mixed.write("vdb", MIB, MIB, 5);
    const plan = await inTransaction(lab.engine.db, (tx) => planOf(tx, mixed.id, BACKUP));
    expect(plan.consequences.join(" ")).toContain("vdb: full. The image's format cannot hold persistent bitmaps.");
    const first = await backUp(mixed);
    const base = first.checkpointId ?? "";
    expect(await lab.recordOf(mixed)).toEqual([{ id: base, parentId: null, state: "active", disks: ["vda"] }]);
    expect((await mixed.checkpoints()).map((item) => [item.id, item.disks.map((disk) => disk.target)])).toEqual([
      [base, ["vda"]],
    ]);
    await mixed.write("vdb", 4 * MIB, MIB, 6);
    const second = await backUp(mixed);
    expect([second.kind, modes(second)]).toEqual(["mixed", [`vda incremental ${base}`, "vdb full -"]]);
    await expectRestores(mixed, second);

    const only = await lab.newVm("all-raw", [], { disks: [{ ...raw, target: "vda" }] });
    await only.write("vda", MIB, MIB, 7);
    const words = await inTransaction(lab.engine.db, (tx) => planOf(tx, only.id, BACKUP));
    expect(words.consequences.join(" ")).toContain("No checkpoint is made");
    const full = await backUp(only);
    expect([full.kind, full.checkpointId, modes(full)]).toEqual(["full", null, ["vda full -"]]);
    expect(await lab.recordOf(only)).toEqual([]);
    expect(await only.checkpoints()).toEqual([]);
    const again = await backUp(only);
    expect(modes(again)).toEqual(["vda full -"]);
    await expectRestores(only, again);
  });
}
