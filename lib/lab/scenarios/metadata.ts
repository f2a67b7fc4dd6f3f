import { rmSync } from "node:fs";
import type { Lab } from "../lab.ts";
import { runVirtnbdbackup } from "../virtnbdbackup.ts";
import type { LabVm } from "../vm.ts";
import { extraFile, recordOf } from "./base.ts";
import { type Scenario, scenario } from "./types.ts";

export const METADATA: Scenario[] = [
  scenario({
    name: "diskless-definition",
    title: "A checkpoint redefined without disks: libvirt validates it vacuously, deleting it would orphan its bitmaps",
    trigger: "observe",
    expected: [{ kind: "metadata.disks-differ", checkpointId: "cp3", reason: "diskless" }],
    apply: (lab, vm) => redefine(lab, vm, "cp3", { disks: [], isDiskless: true }),
  }),
  scenario({
    name: "disk-left-out",
    title: "A checkpoint redefined with one disk less than the record has",
    trigger: "observe",
    expected: [{ kind: "metadata.disks-differ", checkpointId: "cp2", reason: "lacks-disks" }],
    apply: (lab, vm) => redefine(lab, vm, "cp2", { disks: [{ target: "vda", bitmap: "cp2" }] }),
  }),
  scenario({
    name: "bitmap-name-differs",
    title: "A checkpoint whose bitmap attribute names another bitmap: libvirt validates one and deletes another",
    trigger: "observe",
    expected: [{ kind: "metadata.bitmap-name-differs", checkpointId: "cp2", disk: "vda", bitmap: "cp1" }],
    apply: (lab, vm) =>
      redefine(lab, vm, "cp2", {
        disks: [
          { target: "vda", bitmap: "cp1" },
          { target: "vdb", bitmap: "cp2" },
        ],
      }),
  }),
  scenario({
    name: "parent-differs",
    title: "A checkpoint redefined under another parent",
    trigger: "observe",
    expected: [{ kind: "metadata.parent-differs", checkpointId: "cp4" }],
    apply: (lab, vm) => redefine(lab, vm, "cp4", { parentId: "cp2" }),
  }),
  scenario({
    name: "checkpoint-dropped",
    title: "One checkpoint's metadata deleted, its bitmaps left in place",
    trigger: "observe",
    expected: [{ kind: "metadata.missing", checkpointId: "cp4" }],
    apply: (_, vm) => vm.deleteCheckpoint("cp4", { metadataOnly: true }),
  }),
  scenario({
    name: "foreign-tool",
    title: "virtnbdbackup ran while libvirt's list was empty, then the record was redefined",
    trigger: "observe",
    expected: [{ kind: "metadata.unknown", checkpointId: "virtnbdbackup.0", owner: "virtnbdbackup" }],
    apply: runForeignTool,
  }),
  scenario({
    name: "foreign-tool-leftovers",
    title: "virtnbdbackup's checkpoint is gone from libvirt, its bitmaps are still on the disks",
    trigger: "observe",
    expected: ["vda", "vdb"].map((disk) => ({
      kind: "bitmap.unknown",
      disk,
      bitmap: "virtnbdbackup.0",
      owner: "virtnbdbackup",
    })),
    async apply(lab, vm) {
      await runForeignTool(lab, vm);
      await vm.deleteCheckpoint("virtnbdbackup.0", { metadataOnly: true });
    },
  }),
];

/** Replaces one definition of the record by a changed one. */
async function redefine(
  lab: Lab,
  vm: LabVm,
  id: string,
  change: Partial<Parameters<LabVm["redefine"]>[0]>,
): Promise<void> {
  const entry = recordOf(lab, vm).find((item) => item.id === id);
  if (entry === undefined) throw new Error(`The base has no checkpoint ${id}.`);
  const disks = entry.disks.map((target) => ({ target, bitmap: id }));
  await vm.redefine({ ...entry, disks, ...change });
}

/** It refuses to work beside checkpoints of others: see `runVirtnbdbackup`. */
async function runForeignTool(lab: Lab, vm: LabVm): Promise<void> {
  const own = (await vm.checkpoints()).reverse();
  for (const { id } of own) await vm.deleteCheckpoint(id, { metadataOnly: true });
  const output = await runVirtnbdbackup(lab, vm, "full", extraFile(lab, vm, ""));
  rmSync(output, { recursive: true });
  for (const { disks, ...entry } of recordOf(lab, vm))
    await vm.redefine({ ...entry, disks: disks.map((target) => ({ target, bitmap: entry.id })) });
}
