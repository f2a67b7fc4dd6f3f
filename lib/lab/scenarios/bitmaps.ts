import { changeImageBitmap, runOnImage } from "../images.ts";
import type { Lab } from "../lab.ts";
import { nodeOf } from "../qmp.ts";
import type { LabVm } from "../vm.ts";
import { extraFile } from "./base.ts";
import { ALL, each, type Scenario, scenario } from "./types.ts";

type ImageAction = Parameters<typeof changeImageBitmap>[2];

/** QMP on the bitmap of one disk of a running VM. */
async function live(vm: LabVm, verb: string, target: string, name: string, rest: Record<string, unknown> = {}) {
  await vm.qmp({ execute: verb, arguments: { node: await activeNode(vm, target), name, ...rest } });
}

/** qemu-img on one disk; the VM is stopped and stays stopped. */
async function cold(lab: Lab, vm: LabVm, action: ImageAction, target: string, name: string) {
  await vm.stop();
  await changeImageBitmap(lab.context, vm.disk(target).path, action, name);
}

function activeNode(vm: LabVm, target: string): Promise<string> {
  return nodeOf((args) => vm.virsh(args), vm.id, vm.disk(target).path);
}

const REMOVED = each("bitmap.missing", ["cp2"], { disk: "vda", reason: "removed" });
const DISABLED = each("bitmap.not-recording", ["cp3"], { disk: "vda" });
const ADDED = [{ kind: "bitmap.unknown", disk: "vdb", bitmap: "nightly-job" } as const];

export const BITMAPS: Scenario[] = [
  scenario({
    name: "bitmap-removed-live",
    title: "A bitmap removed from the running VM by QMP",
    trigger: "observe",
    expected: REMOVED,
    apply: (_, vm) => live(vm, "block-dirty-bitmap-remove", "vda", "cp2"),
  }),
  scenario({
    name: "bitmap-removed-stopped",
    title: "A bitmap removed from the stopped image by qemu-img",
    trigger: "observe",
    expected: REMOVED,
    apply: (lab, vm) => cold(lab, vm, "remove", "vda", "cp2"),
  }),
  scenario({
    name: "bitmap-added-live",
    title: "A bitmap that nobody recorded, added to the running VM by QMP",
    trigger: "observe",
    expected: ADDED,
    apply: (_, vm) => live(vm, "block-dirty-bitmap-add", "vdb", "nightly-job", { persistent: true }),
  }),
  scenario({
    name: "bitmap-added-stopped",
    title: "A bitmap that nobody recorded, added to the stopped image by qemu-img",
    trigger: "observe",
    expected: ADDED,
    apply: (lab, vm) => cold(lab, vm, "add", "vdb", "nightly-job"),
  }),
  scenario({
    name: "bitmap-disabled-live",
    title: "A bitmap disabled in the running VM: writes since then are not in it",
    trigger: "observe",
    expected: DISABLED,
    apply: (_, vm) => live(vm, "block-dirty-bitmap-disable", "vda", "cp3"),
  }),
  scenario({
    name: "bitmap-disabled-stopped",
    title: "A bitmap disabled in the stopped image",
    trigger: "observe",
    expected: DISABLED,
    apply: (lab, vm) => cold(lab, vm, "disable", "vda", "cp3"),
  }),
  scenario({
    name: "bitmap-not-persistent",
    title: "A bitmap made anew in memory with the same content: it vanishes at the next stop",
    trigger: "observe",
    expected: each("bitmap.not-persistent", ["cp4"], { disk: "vda" }),
    apply: (_, vm) => makeTransientBitmap(vm, "vda", "cp4"),
  }),
  scenario({
    name: "bitmap-made-anew",
    title: "A bitmap removed and made anew under its name with another granularity: libvirt's own validation passes",
    trigger: "observe",
    expected: each("bitmap.granularity-differs", ["cp2"], { disk: "vda", reason: "from-record" }),
    async apply(_, vm) {
      await live(vm, "block-dirty-bitmap-remove", "vda", "cp2");
      await live(vm, "block-dirty-bitmap-add", "vda", "cp2", { persistent: true, granularity: 32_768 });
    },
  }),
  scenario({
    name: "overlay-without-bitmaps",
    title: "An overlay put over the stopped image without its bitmaps: a gap in the backing chain",
    trigger: "event",
    expected: each("bitmap.gap", ALL, { disk: "vda" }),
    async apply(lab, vm) {
      await vm.stop();
      await putOverlay(lab, vm);
      await vm.start();
    },
  }),
  scenario({
    name: "snapshot-bitmap-removed",
    title: "An external snapshot taken while running, then one bitmap removed from its overlay: a gap",
    trigger: "observe",
    expected: each("bitmap.gap", ["cp3"], { disk: "vda" }),
    async apply(lab, vm) {
      await takeSnapshot(lab, vm);
      await live(vm, "block-dirty-bitmap-remove", "vda", "cp3");
    },
  }),
  scenario({
    name: "granularity-differs",
    title: "An overlay whose bitmap has another granularity than the layer below",
    trigger: "event",
    expected: each("bitmap.granularity-differs", ["cp4"], { disk: "vda", reason: "from-record" }),
    async apply(lab, vm) {
      await vm.stop();
      const overlay = await putOverlay(lab, vm);
      for (const id of ALL) {
        const size = id === "cp4" ? ["-g", "32768"] : [];
        await runOnImage(lab.context, "qemu-img", ["bitmap", "--add", ...size, overlay, id]);
      }
      await vm.start();
    },
  }),
];

/** Same name, same content, but not persistent. In one transaction: no write is missed in between. */
async function makeTransientBitmap(vm: LabVm, target: string, name: string): Promise<void> {
  const node = await activeNode(vm, target);
  const step = (type: string, data: Record<string, unknown>) => ({ type, data: { node, ...data } });
  const merge = (into: string, from: string) => ({
    type: "block-dirty-bitmap-merge",
    data: { node, target: into, bitmaps: [from] },
  });
  const spare = `${name}-copy`;
  const add = "block-dirty-bitmap-add";
  const remove = "block-dirty-bitmap-remove";
  // QEMU commits removals last: the new one of the same name needs a transaction of its own.
  await vm.qmp({ execute: "transaction", arguments: { actions: [step(add, { name: spare }), merge(spare, name)] } });
  await vm.qmp({ execute: remove, arguments: { node, name } });
  await vm.qmp({
    execute: "transaction",
    arguments: { actions: [step(add, { name, persistent: false }), merge(name, spare)] },
  });
  await vm.qmp({ execute: remove, arguments: { node, name: spare } });
}

/** A fresh overlay becomes the disk of the stopped VM. Answers its path. */
async function putOverlay(lab: Lab, vm: LabVm): Promise<string> {
  const overlay = extraFile(lab, vm, "overlay.qcow2");
  const below = vm.disk("vda").path;
  await runOnImage(lab.context, "qemu-img", ["create", "-q", "-f", "qcow2", "-b", below, "-F", "qcow2", overlay]);
  await vm.redefineDisks(vm.disks.map((disk) => (disk.target === "vda" ? { ...disk, path: overlay } : disk)));
  return overlay;
}

/** libvirt's own external snapshot of vda: it makes every bitmap anew in the overlay. */
export async function takeSnapshot(lab: Lab, vm: LabVm): Promise<void> {
  const overlay = extraFile(lab, vm, "snapshot.qcow2");
  const spec = ["--diskspec", `vda,snapshot=external,file=${overlay}`, "--diskspec", "vdb,snapshot=no"];
  await vm.virsh(["snapshot-create-as", vm.id, "lab", "--disk-only", "--no-metadata", ...spec]);
  await vm.recordDisks(vm.disks.map((disk) => (disk.target === "vda" ? { ...disk, path: overlay } : disk)));
}
