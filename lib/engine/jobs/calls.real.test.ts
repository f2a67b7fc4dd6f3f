/** What a plan lists is what its host gets: each changing call, by name, flags, subject and number. */
import { mkdtempSync, rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PlanRequest } from "#chain/plan/model.ts";
import { nodeOf } from "#lab/qmp.ts";
import type { LabVm } from "#lab/vm.ts";
import { callsOfSteps, comparable, logLibvirt, noteQemuImg, recordCalls } from "../testing/host-calls.ts";
import { BACKUP, JobLab, MIB } from "../testing/job-lab.ts";
import { applyNow, ended, readAll } from "../testing/plan-job.ts";
import { until } from "../testing/rig.ts";

type Stand = { lab: JobLab; logs: { libvirt: string; qemuImg: string } };
const folder = mkdtempSync("/tmp/dl-calls-");
const note = noteQemuImg(folder);
let seeing: Stand;
/** Its agent may not ask QEMU. */
let blind: Stand;

async function openStand(agent: object): Promise<Stand> {
  const lab = await JobLab.open({ policy: { redefineOnStart: "ask" }, agent });
  const libvirt = await logLibvirt(lab.rig.lab, "alpha");
  const [host] = lab.engine.hosts.values();
  await until(
    () =>
      host?.agent.api.host({}).then(
        (seen) => seen.connection.state === "connected",
        () => false,
      ) ?? Promise.resolve(false),
    (isBack) => isBack,
  );
  return { lab, logs: { libvirt, qemuImg: note.log } };
}

beforeAll(async () => {
  seeing = await openStand({});
  blind = await openStand({ qmp: "forbid" });
});
afterAll(async () => {
  await seeing?.lab.close();
  await blind?.lab.close();
  note.undo();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the plan; what was listed is what was made. Returns it. */
async function expectCalls({ lab, logs }: Stand, vm: LabVm, request: PlanRequest) {
  await readAll(lab.engine, vm.id);
  const { result: job, made } = await recordCalls(logs, async () =>
    ended(lab.engine, await applyNow(lab.engine.db, vm.id, request)),
  );
  expect(job).toMatchObject({ state: "succeeded", error: null });
  expect(comparable(made)).toEqual(comparable(callsOfSteps(job.steps)));
  return made;
}

const CHECK = expect.stringMatching(/^qemu-img check --output=json -f qcow2 -- \/\S+$/);
const CONVERT = expect.stringMatching(/^qemu-img convert -p -f qcow2 -O raw -- \/\S+ \/\S+$/);
const HEAL: PlanRequest = { intent: "heal", mode: "salvage", findings: null };
const TEMPORARY = [
  "virDomainCheckpointCreateXML(REDEFINE) driftline.temporary",
  "virDomainCheckpointDelete(0) driftline.temporary",
];

test("redefine, heal, prune, backup and remove of a running VM make the calls that their plans list", async () => {
  const { lab } = seeing;
  const vm = await lab.newVm("listed", ["cp1", "cp2", "cp3", "cp4", "cp5"]);
  for (const id of ["cp2", "cp4"]) await vm.deleteCheckpoint(id, { metadataOnly: true });
  const redefined = await expectCalls(seeing, vm, { intent: "redefine", mode: "strict" });
  expect(redefined.libvirt.filter((call) => call.endsWith("(REDEFINE) cp2"))).toHaveLength(1);

  // One disk of a checkpoint is broken, and bitmaps of another that libvirt does not list are left on both disks.
  await lab.removeLive(vm, "vda", "cp2");
  await vm.deleteCheckpoint("cp4", { metadataOnly: true });
  await lab.query("update vm_checkpoints set state = 'deleting' where vm_id = $1 and checkpoint_id = 'cp4'", [vm.id]);
  await lab.query("update vms set revision = revision + 1 where id = $1", [vm.id]);
  const healed = await expectCalls(seeing, vm, HEAL);
  expect(healed.libvirt).toEqual(expect.arrayContaining(TEMPORARY));
  expect(healed.libvirt.filter((call) => call.endsWith("driftline.temporary"))).toHaveLength(2);
  expect(await lab.bitmapsOn(vm)).toEqual([
    "vda:cp1",
    "vda:cp3",
    "vda:cp5",
    "vdb:cp1",
    "vdb:cp2",
    "vdb:cp3",
    "vdb:cp5",
  ]);

  const pruned = await expectCalls(seeing, vm, { intent: "prune", rule: { ids: ["cp1", "cp3"] } });
  expect(pruned.libvirt).toEqual([
    "virDomainCheckpointCreateXML(REDEFINE) cp3",
    "virDomainCheckpointDelete(0) cp3",
    "virDomainCheckpointCreateXML(REDEFINE) cp1",
    "virDomainCheckpointDelete(0) cp1",
  ]);

  const full = await expectCalls(seeing, vm, BACKUP);
  expect(full).toEqual({
    libvirt: ["virDomainBackupBegin(REUSE_EXTERNAL)"],
    qemuImg: [
      ...["vda", "vdb"].map(() => expect.stringMatching(/^qemu-img create -q -f qcow2 -- \S+ \d+$/)),
      ...["vda", "vdb"].flatMap(() => [CHECK, CONVERT]),
    ],
  });
  await vm.write("vda", 20 * MIB, MIB, 9);
  const more = await expectCalls(seeing, vm, { ...BACKUP, mode: "incremental" });
  // An increment is checked with the full one that it stands on.
  expect(more.qemuImg).toEqual([
    ...["vda", "vdb"].map(() => expect.stringMatching(/^qemu-img create -q -f qcow2 -u -b \.\S+ -F qcow2 -- \S+ \d+$/)),
    ...["vda", "vdb"].flatMap(() => [CHECK, CHECK, CONVERT]),
  ]);

  const ids = ((await lab.recordOf(vm)) ?? []).map(({ id }) => id);
  await expectCalls(seeing, vm, { intent: "remove", checkpointIds: ids, bitmaps: [] });
  expect(await lab.listedOn(vm)).toEqual([]);
  expect(await lab.bitmapsOn(vm)).toEqual([]);
  await vm.stop();
});

test("a bitmap that libvirt's own backup left is removed before the next one, by calls that the plan lists", async () => {
  const { lab } = seeing;
  const vm = await lab.newVm("helper", ["cp1"]);
  const node = await nodeOf((args) => vm.virsh(args), vm.id, vm.disk("vda").path);
  await vm.qmp({ execute: "block-dirty-bitmap-add", arguments: { node, name: "backup-vda", disabled: true } });
  const { libvirt } = await expectCalls(seeing, vm, { ...BACKUP, mode: "full" });
  expect(libvirt).toEqual([...TEMPORARY, "virDomainBackupBegin(REUSE_EXTERNAL)"]);
  await vm.stop();
});

test("of a stopped VM they are those of qemu-img on each image, then of libvirt's metadata", async () => {
  const { lab } = seeing;
  const vm = await lab.newVm("stopped", ["cp1", "cp2", "cp3"]);
  await vm.stop();
  const { libvirt, qemuImg } = await expectCalls(seeing, vm, { intent: "prune", rule: { ids: ["cp1"] } });
  expect(libvirt).toEqual([
    "virDomainCheckpointCreateXML(REDEFINE) cp1",
    "virDomainCheckpointDelete(METADATA_ONLY) cp1",
  ]);
  expect(qemuImg).toEqual(vm.disks.map(({ path }) => `qemu-img bitmap --remove -f qcow2 -- ${path} cp1`));
});

test("where QEMU may not be asked libvirt is told to look at the bitmaps itself, and the plan says so", async () => {
  const { lab } = blind;
  const vm = await lab.newVm("unseen", ["cp1", "cp2"]);
  for (const id of ["cp2", "cp1"]) await vm.deleteCheckpoint(id, { metadataOnly: true });
  const { libvirt } = await expectCalls(blind, vm, { intent: "redefine", mode: "strict" });
  expect(libvirt).toEqual([
    "virDomainCheckpointCreateXML(REDEFINE | REDEFINE_VALIDATE) cp1",
    "virDomainCheckpointCreateXML(REDEFINE | REDEFINE_VALIDATE) cp2",
  ]);
  await vm.stop();
});
