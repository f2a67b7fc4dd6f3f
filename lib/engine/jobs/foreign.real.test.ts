/** Beside a real virtnbdbackup: every plan that does not name its checkpoints leaves it able to go on. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PlanRequest } from "#chain/plan/model.ts";
import { runVirtnbdbackup, runVirtnbdrestore } from "#lab/virtnbdbackup.ts";
import type { LabVm } from "#lab/vm.ts";
import { BACKUP, JobLab, MIB } from "../testing/job-lab.ts";
import { readAll, run } from "../testing/plan-job.ts";

const execute = promisify(execFile);
let lab: JobLab;
beforeAll(async () => {
  lab = await JobLab.open();
});
afterAll(() => lab?.close());

const isForeign = (name: string) => name.startsWith("virtnbdbackup.");

/** All that libvirt and QEMU know of the other tool's. */
async function foreignOn(vm: LabVm) {
  const listed = (await vm.checkpoints()).filter(({ id }) => isForeign(id));
  const bitmaps = (await vm.bitmaps()).filter(({ name }) => isForeign(name));
  return { listed: listed.map(({ id, parentId, createdAt, disks }) => ({ id, parentId, createdAt, disks })), bitmaps };
}

test("checkpoints and bitmaps of virtnbdbackup are as they were after every plan that does not name them, and its next incremental restores", async () => {
  const vm = await lab.newVm("foreign");
  await vm.write("vda", 24 * MIB, MIB, 3);
  const prefix = join(lab.rig.lab.dir, "disks", "beside-");
  const output = await runVirtnbdbackup(lab.rig.lab, vm, "full", prefix);
  await lab.addLine(vm, ["cp1", "cp2", "cp3", "cp4"]);
  await vm.write("vdb", 8 * MIB, MIB, 4);
  const before = await foreignOn(vm);
  expect(before.listed.map(({ id, disks }) => [id, disks.map(({ target }) => target)])).toEqual([
    ["virtnbdbackup.0", ["vda", "vdb"]],
  ]);
  expect(before.bitmaps.map(({ target, recording }) => [target, recording])).toEqual([
    ["vda", true],
    ["vdb", true],
  ]);
  const own = async () => ((await lab.recordOf(vm)) ?? []).map(({ id }) => id);
  const expectUntouchedBy = async (request: PlanRequest) => {
    const job = await run(lab.engine, vm.id, request);
    expect([request.intent, job.state, job.error]).toEqual([request.intent, "succeeded", null]);
    expect([request.intent, await foreignOn(vm)]).toEqual([request.intent, before]);
    expect((await lab.findingsOf(vm)).filter((id) => !id.includes("virtnbdbackup"))).toEqual([]);
  };

  await vm.deleteCheckpoint("cp2", { metadataOnly: true });
  await expectUntouchedBy({ intent: "redefine", mode: "strict" });
  await lab.removeLive(vm, "vda", "cp3");
  await readAll(lab.engine, vm.id);
  await expectUntouchedBy({ intent: "heal", mode: "salvage", findings: null });
  await expectUntouchedBy({ intent: "prune", rule: { keepLast: 2 } });
  expect(await own()).toHaveLength(2);
  await expectUntouchedBy({ ...BACKUP, mode: "full" });
  await expectUntouchedBy({ ...BACKUP, mode: "incremental" });
  expect((await lab.backupsOf(vm)).map(({ kind, state }) => [kind, state])).toEqual([
    ["incremental", "finished"],
    ["full", "finished"],
  ]);
  await expectUntouchedBy({ intent: "remove", checkpointIds: await own(), bitmaps: [] });

  // It refuses to work beside checkpoints of others: now there are none.
  expect(await lab.listedOn(vm)).toEqual(["virtnbdbackup.0"]);
  await runVirtnbdbackup(lab.rig.lab, vm, "inc", prefix);
  expect((await lab.listedOn(vm)).sort()).toEqual(["virtnbdbackup.0", "virtnbdbackup.1"]);
  await vm.stop();
  const restored = await runVirtnbdrestore(lab.rig.lab, vm, output);
  for (const { target, path } of vm.disks) {
    const file = readdirSync(restored).find((name) => name.includes(target)) ?? expect.fail(`no ${target}`);
    await execute("qemu-img", ["compare", "-f", "qcow2", "-F", "qcow2", path, join(restored, file)]);
  }
});
