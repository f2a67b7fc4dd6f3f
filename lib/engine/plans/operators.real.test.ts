/** Plans of several people on a real libvirt: what changed behind them, and who is first. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobRow } from "#contract/engine-jobs.ts";
import type { Problem } from "#contract/problem.ts";
import { applyScenario, findScenario, prepareScenario } from "#lab/scenarios/index.ts";
import { JobLab } from "../testing/job-lab.ts";
import { readAll } from "../testing/plan-job.ts";
import { applyPlan, endOf, makePlan, observe, takeRemedy } from "../testing/remedy.ts";
import { call } from "../testing/rig.ts";

let lab: JobLab;
beforeAll(async () => {
  lab = await JobLab.open({ policy: { redefineOnStart: "ask" } });
});
afterAll(() => lab?.close());

test("a plan whose bitmap went behind it on the host is refused with what changed, and changes nothing", async () => {
  const vm = await lab.newVm("behind", ["cp1", "cp2", "cp3"]);
  const plan = await makePlan(lab.engine, vm.id, { intent: "prune", params: { keepLast: 1 } });
  await lab.removeLive(vm, "vdb", "cp2");
  const before = { listed: await vm.checkpoints(), bitmaps: await vm.bitmaps(), record: await lab.recordOf(vm) };
  const refused = await applyPlan(lab.engine, plan);
  expect(refused).toMatchObject({ status: 409, body: { code: "plan_out_of_date", subject: vm.id } });
  expect((refused.body as Problem).errors).toMatchObject([{ field: "bitmap cp2 on vdb" }]);
  const after = { listed: await vm.checkpoints(), bitmaps: await vm.bitmaps(), record: await lab.recordOf(vm) };
  expect(after).toEqual(before);
  expect(await lab.query("select 1 from jobs where vm_id = $1", [vm.id])).toEqual([]);
  expect((await call(lab.engine, "GET", `/plans/${plan.id}`)).body).toMatchObject({ state: "out-of-date" });
  await vm.stop();
});

test("of two different plans of two people at once one runs, and the other is told who holds the VM", async () => {
  const vm = await lab.newVm("two-people", ["cp1", "cp2", "cp3", "cp4"]);
  await vm.deleteCheckpoint("cp4", { metadataOnly: true });
  await observe(lab.engine, vm.id);
  const redefine = await makePlan(lab.engine, vm.id, { intent: "redefine", params: { mode: "strict" } });
  const prune = await makePlan(lab.engine, vm.id, { intent: "prune", params: { ids: ["cp1"] } });
  const answers = await Promise.all([
    applyPlan(lab.engine, redefine, "operator"),
    applyPlan(lab.engine, prune, "admin"),
  ]);
  expect(answers.map(({ status }) => status).sort()).toEqual([202, 409]);
  const first = answers[0]?.status === 202 ? 0 : 1;
  const won = answers[first]?.body as JobRow;
  const lost = answers[1 - first]?.body as Problem;
  const winner = first === 0 ? "key:operator" : "key:admin";
  expect(lost).toMatchObject({ code: "vm_busy", subject: vm.id });
  expect(lost.detail).toContain(won.id);
  expect(lost.detail).toContain(winner);
  expect(await endOf(lab.engine, won.id)).toMatchObject({ state: "succeeded", actor: winner });
  const jobs = await lab.query("select kind from jobs where vm_id = $1", [vm.id]);
  expect(jobs).toEqual([{ kind: first === 0 ? "redefine" : "prune" }]);
  // Only what the winner wanted is so.
  expect(await lab.listedOn(vm)).toEqual(first === 0 ? ["cp1", "cp2", "cp3", "cp4"] : ["cp2", "cp3"]);
  await vm.stop();
});

test("full backup as the remedy of a disk that was attached: of that disk alone, and the finding is gone", async () => {
  const scenario = findScenario("disk-added");
  const { vm, record } = await prepareScenario(lab.rig.lab, scenario, { name: "attached" });
  await readAll(lab.engine, vm.id);
  for (const { id, parentId, createdAt, disks } of record) {
    const body = { id, parentId, createdAt, disks };
    expect((await call(lab.engine, "POST", `/vms/${vm.id}/checkpoints`, { body })).status).toBe(201);
  }
  await applyScenario(lab.rig.lab, scenario, vm);
  const chain = await observe(lab.engine, vm.id);
  expect(chain.findings.map(({ id }) => id)).toEqual(["disk.added||vdc|"]);
  const job = await takeRemedy(lab.engine, vm.id, chain.findings[0] ?? expect.fail(), "full-backup");
  expect(job).toMatchObject({ state: "succeeded", error: null, proof: { gone: ["disk.added||vdc|"], left: [] } });
  const [backup] = await lab.backupsOf(vm);
  expect(backup).toMatchObject({ kind: "full", state: "finished", disks: [{ target: "vdc", mode: "full" }] });
  expect((await observe(lab.engine, vm.id)).findings).toEqual([]);
  await vm.stop();
});
