/** The record's own repairs, each as the remedy of its finding, on a real libvirt and through the API. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Chain } from "#contract/engine-vms.ts";
import type { LabVm } from "#lab/vm.ts";
import { applyRecordDrift } from "../../run/record-drift.ts";
import { readHost } from "../observe/read.ts";
import { JobLab } from "../testing/job-lab.ts";
import { observe, takeRemedy } from "../testing/remedy.ts";
import { call, until } from "../testing/rig.ts";

let lab: JobLab;
beforeAll(async () => {
  // No read without being asked; a job counts as stuck after 2 s.
  lab = await JobLab.open({ policy: { jobLimitSeconds: 2, redefineOnStart: "ask" } });
});
afterAll(() => lab?.close());

const chainOf = async (vm: LabVm) => (await call(lab.engine, "GET", `/vms/${vm.id}/chain`)).body as Chain;
const told = ({ findings }: Chain) => findings.map(({ id, reason }) => [id, reason]);

/** A running backup job of libvirt's that Driftline did not begin and that does not end. */
async function beginForeign(vm: LabVm): Promise<() => void> {
  await lab.fill(vm);
  const slow = await lab.slowDown(vm);
  const disks = { vda: { path: `${vm.disk("vda").path}.foreign` } };
  await vm.backupBegin({ mode: "push", disks });
  await slow.caught;
  return slow.close;
}

/** Reads as the sweep does, which asks for what has changed, until the job has run for too long. */
async function findTooLong(vm: LabVm): Promise<Chain["findings"][number]> {
  const [host] = lab.engine.hosts.values();
  if (!host) throw new Error("no host");
  const chain = await until(
    async () => {
      await readHost(lab.engine, host);
      return chainOf(vm);
    },
    ({ findings }) => findings.length > 0,
  );
  expect(told(chain)).toEqual([[expect.stringMatching(/^backup\.stuck\|/), "too-long"]]);
  expect(chain.findings[0]?.evidence.metadata).toMatch(/a backup job holds the VM for .* the limit is/);
  return chain.findings[0] ?? expect.fail();
}

test("abort: a job that holds the VM for too long is found by a sweep and ended, and its checkpoints stay", async () => {
  const vm = await lab.newVm("too-long", ["cp1"], { isSlow: true });
  const close = await beginForeign(vm);
  try {
    const job = await takeRemedy(lab.engine, vm.id, await findTooLong(vm), "abort");
    expect(job).toMatchObject({ state: "succeeded", error: null, proof: { agreement: "agrees", left: [] } });
    expect(job.steps.find(({ verb }) => verb === "host.abort-job")).toMatchObject({ outcome: "aborted" });
  } finally {
    close();
  }
  expect(await vm.virsh(["domjobinfo", vm.id])).toMatch(/None/);
  expect(await lab.listedOn(vm)).toEqual(["cp1"]);
  expect(await observe(lab.engine, vm.id)).toMatchObject({ agreement: "agrees", findings: [] });
  await vm.stop();
});

test("abort: where the record says that a backup runs, that is closed with the job", async () => {
  const vm = await lab.newVm("recorded", ["cp1"], { isSlow: true });
  await applyRecordDrift(lab.url, "backup-forgotten", vm.id);
  const close = await beginForeign(vm);
  try {
    const job = await takeRemedy(lab.engine, vm.id, await findTooLong(vm), "abort");
    expect(job).toMatchObject({ state: "succeeded", proof: { agreement: "agrees", left: [] } });
  } finally {
    close();
  }
  expect(await vm.virsh(["domjobinfo", vm.id])).toMatch(/None/);
  expect((await lab.backupsOf(vm)).map(({ state }) => state)).toEqual(["failed"]);
  expect((await observe(lab.engine, vm.id)).findings).toEqual([]);
  await vm.stop();
});

test("close: a backup that is recorded as running and that libvirt does not know ends as failed", async () => {
  const vm = await lab.newVm("forgotten", ["cp1"]);
  await applyRecordDrift(lab.url, "backup-forgotten", vm.id);
  const chain = await observe(lab.engine, vm.id);
  expect(told(chain)).toEqual([[expect.stringMatching(/^backup\.stuck\|/), "no-such-job"]]);
  const job = await takeRemedy(lab.engine, vm.id, chain.findings[0] ?? expect.fail(), "close");
  expect(job).toMatchObject({ state: "succeeded", error: null, proof: { agreement: "agrees", left: [] } });
  expect(await lab.backupsOf(vm)).toMatchObject([{ state: "failed", error: "Closed: libvirt has no such job." }]);
  expect((await observe(lab.engine, vm.id)).findings).toEqual([]);
  await vm.stop();
});

test("repair links: a checkpoint whose parent's row is lost hangs on the record again, and what is left is adopted", async () => {
  const vm = await lab.newVm("lost-parent", ["cp1", "cp2", "cp3", "cp4"]);
  await applyRecordDrift(lab.url, "record-parent-missing", vm.id);
  const chain = await observe(lab.engine, vm.id);
  const broken = chain.findings.find(({ kind }) => kind === "record.missing-parent") ?? expect.fail();
  const job = await takeRemedy(lab.engine, vm.id, broken, "repair-record");
  expect(job).toMatchObject({ state: "succeeded", error: null });
  expect(job.steps.find(({ verb }) => verb === "record.relink")).toMatchObject({ outcome: "linked" });
  const repaired = await observe(lab.engine, vm.id);
  expect(repaired.findings.map(({ kind }) => kind)).toEqual(["metadata.unknown"]);
  const adopted = await takeRemedy(lab.engine, vm.id, repaired.findings[0] ?? expect.fail(), "adopt");
  expect(adopted).toMatchObject({ state: "succeeded", proof: { agreement: "agrees" } });
  expect((await observe(lab.engine, vm.id)).findings).toEqual([]);
  expect((await lab.recordOf(vm))?.map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["cp2", "cp1"],
    ["cp3", "cp2"],
    ["cp4", "cp3"],
  ]);
  await vm.stop();
});

test("repair links: a circle of the record is cut above its oldest, and the host was never asked to change anything", async () => {
  const vm = await lab.newVm("circle", ["cp1", "cp2", "cp3", "cp4"]);
  const before = await vm.checkpoints();
  await applyRecordDrift(lab.url, "record-cycle", vm.id);
  const chain = await observe(lab.engine, vm.id);
  expect(chain.findings.map(({ kind, subject }) => [kind, subject.checkpointId])).toEqual([["record.cycle", "cp1"]]);
  const job = await takeRemedy(lab.engine, vm.id, chain.findings[0] ?? expect.fail(), "repair-record");
  expect(job).toMatchObject({ state: "succeeded", error: null, proof: { agreement: "agrees", left: [] } });
  expect(await observe(lab.engine, vm.id)).toMatchObject({ agreement: "agrees", findings: [] });
  expect((await lab.recordOf(vm))?.map(({ id, parentId }) => [id, parentId])).toEqual([
    ["cp1", null],
    ["cp2", "cp1"],
    ["cp3", "cp2"],
    ["cp4", "cp3"],
  ]);
  expect(await vm.checkpoints()).toEqual(before);
  await vm.stop();
});
