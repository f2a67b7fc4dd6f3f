/** A backup whose data is complete and whose checkpoint is not a base yet: what the host shows decides, on a real one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabVm } from "#lab/vm.ts";
import { BACKUP, JobLab, MIB } from "../testing/job-lab.ts";
import { run } from "../testing/plan-job.ts";
import { until } from "../testing/rig.ts";

let lab: JobLab;
beforeAll(async () => {
  lab = await JobLab.open();
}, 120_000);
afterAll(() => lab?.close(), 60_000);

/** As the engine finds it that was killed between the end of the data and the step that makes the checkpoint a base. */
async function cutOff(vm: LabVm, meanwhile: () => Promise<void>) {
  await vm.write("vda", 0, MIB, 1);
  expect(await run(lab.engine, vm.id, BACKUP)).toMatchObject({ state: "succeeded" });
  const [checkpoint] = await lab.listedOn(vm);
  await meanwhile();
  await lab.query(
    `with b as (update vm_backups set state = 'running' where vm_id = $1)
     update vm_checkpoints set state = 'creating' where vm_id = $1`,
    [vm.id],
  );
  const [backup] = await until(
    () => lab.backupsOf(vm),
    ([one]) => one?.state !== "running",
    60_000,
  );
  return { checkpoint: checkpoint ?? "", backup };
}

test("a finished backup whose bitmaps are there becomes a base", async () => {
  const vm = await lab.newVm("finish-whole");
  const { checkpoint, backup } = await cutOff(vm, async () => {});
  expect(backup).toMatchObject({ state: "finished", error: null });
  expect(await lab.recordOf(vm)).toMatchObject([{ id: checkpoint, state: "active" }]);
  await vm.stop();
}, 120_000);

test("a finished backup whose bitmap was removed before its checkpoint became a base is undone", async () => {
  const vm = await lab.newVm("finish-removed");
  const { backup } = await cutOff(vm, async () => {
    const [id] = await lab.listedOn(vm);
    await lab.removeLive(vm, "vdb", id ?? "");
  });
  expect(backup).toMatchObject({ state: "failed", error: expect.stringContaining("its bitmap on vdb is missing") });
  await lab.expectNothingLeft(vm);
  await vm.stop();
}, 120_000);

test("a finished backup whose QEMU was killed before its checkpoint became a base is undone: its bitmaps were never stored", async () => {
  const vm = await lab.newVm("finish-killed");
  const { backup } = await cutOff(vm, () => vm.kill());
  expect(backup).toMatchObject({ state: "failed", error: expect.stringContaining("can be no base") });
  expect(await lab.recordOf(vm)).toEqual([]);
}, 120_000);
