/** A newer checkpoint without a file of a backup does not hide an older base that has one: on a real host, byte by byte. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BACKUP, JobLab, MIB } from "../testing/job-lab.ts";
import { run } from "../testing/plan-job.ts";

const execute = promisify(execFile);
let lab: JobLab;
beforeAll(async () => {
  lab = await JobLab.open();
}, 120_000);
afterAll(() => lab?.close(), 60_000);

test("an increment over the newest base that has a file restores what the disk holds, across a checkpoint of somebody else", async () => {
  const vm = await lab.newVm("older-base");
  await vm.write("vda", 0, MIB, 1);
  expect(await run(lab.engine, vm.id, BACKUP)).toMatchObject({ state: "succeeded" });
  const [base = ""] = await lab.listedOn(vm);
  await vm.write("vda", MIB, MIB, 2);
  const { createdAt } = await vm.checkpoint("foreign");
  await lab.recordCheckpoint(vm, "foreign", base, createdAt);
  await vm.write("vda", 2 * MIB, MIB, 3);
  expect(await run(lab.engine, vm.id, BACKUP)).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  const [backup] = await lab.backupsOf(vm);
  expect(backup?.disks).toMatchObject([
    { target: "vda", mode: "incremental", base },
    { target: "vdb", mode: "incremental", base },
  ]);
  await vm.stop();
  for (const { target, path } of backup?.disks ?? [])
    await execute("qemu-img", ["compare", "-f", "qcow2", "-F", "qcow2", vm.disk(target).path, path ?? ""]);
}, 120_000);
