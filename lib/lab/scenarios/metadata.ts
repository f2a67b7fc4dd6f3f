import { rmSync } from "node:fs";
import { hostEnvironment } from "../daemon.ts";
import type { Lab } from "../lab.ts";
import { run } from "../tools.ts";
import type { LabVm } from "../vm.ts";
import { extraFile, recordOf } from "./base.ts";
import { type Scenario, scenario } from "./types.ts";

export const METADATA: Scenario[] = [
  scenario({
    name: "diskless-definition",
    title: "A checkpoint redefined without disks: libvirt validates it vacuously, deleting it would orphan its bitmaps",
    trigger: "observe",
    expected: [{ kind: "metadata.disks-differ", checkpointId: "cp3" }],
    apply: (lab, vm) => redefine(lab, vm, "cp3", { disks: [], isDiskless: true }),
  }),
  scenario({
    name: "disk-left-out",
    title: "A checkpoint redefined with one disk less than the record has",
    trigger: "observe",
    expected: [{ kind: "metadata.disks-differ", checkpointId: "cp2" }],
    apply: (lab, vm) => redefine(lab, vm, "cp2", { disks: [{ target: "vda", bitmap: "cp2" }] }),
  }),
  scenario({
    name: "bitmap-name-differs",
    title: "A checkpoint whose bitmap attribute names another bitmap: libvirt validates one and deletes another",
    trigger: "observe",
    expected: [{ kind: "metadata.bitmap-name-differs", checkpointId: "cp2", disk: "vda" }],
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
    expected: [{ kind: "metadata.unknown", checkpointId: "virtnbdbackup.0" }],
    apply: runForeignTool,
  }),
  scenario({
    name: "foreign-tool-leftovers",
    title: "virtnbdbackup's checkpoint is gone from libvirt, its bitmaps are still on the disks",
    trigger: "observe",
    expected: ["vda", "vdb"].map((disk) => ({ kind: "bitmap.unknown", disk, bitmap: "virtnbdbackup.0" })),
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

/**
 * Really runs virtnbdbackup. It refuses to work beside checkpoints of others, so it can only come between when libvirt
 * has lost its list (as after a restart elsewhere): the metadata is dropped before and the record redefined after.
 * It takes `qemu:///session` (a URI that begins with `qemu+` makes it ask for a user and a password), which libvirt's
 * client resolves to this host's socket by XDG_RUNTIME_DIR.
 */
async function runForeignTool(lab: Lab, vm: LabVm): Promise<void> {
  const own = (await vm.checkpoints()).reverse();
  for (const { id } of own) await vm.deleteCheckpoint(id, { metadataOnly: true });
  const output = extraFile(lab, vm, "virtnbdbackup");
  const socket = extraFile(lab, vm, "nbd.sock");
  const folder = extraFile(lab, vm, "scratch");
  const { account, token, dir } = lab.context;
  const options = { as: account, env: { ...hostEnvironment(dir, vm.host, token), LC_ALL: "C.UTF-8" } };
  await run("mkdir", ["-p", folder], options);
  const args = ["-U", "qemu:///session", "-d", vm.name, "-l", "full", "-o", output, "-f", socket, "-S", folder, "-n"];
  await run("virtnbdbackup", args, options);
  rmSync(output, { recursive: true });
  for (const { disks, ...entry } of recordOf(lab, vm))
    await vm.redefine({ ...entry, disks: disks.map((target) => ({ target, bitmap: entry.id })) });
}
