import { copyImage } from "../images.ts";
import type { LabVm } from "../vm.ts";
import { stageImage } from "./golden.ts";
import { ALL, type ExpectedFinding, each, type Scenario, scenario } from "./types.ts";

/** Older ones stay marked as in use in the file; the newest was in QEMU's memory only. */
/** @param reason in what words the image, or the QEMU that has it open, says that they are broken */
const bothLosses = (reason: "in-use" | "inconsistent"): ExpectedFinding[] => [
  ...each("bitmap.inconsistent", ["cp1", "cp2", "cp3"], { disk: "vda", reason }),
  ...each("bitmap.inconsistent", ["cp1", "cp2"], { disk: "vdb", reason }),
  ...each("bitmap.missing", ["cp4"], { disk: "vda", reason: "never-flushed" }),
  ...each("bitmap.missing", ["cp4"], { disk: "vdb", reason: "never-flushed" }),
];

export const CRASHES: Scenario[] = [
  scenario({
    name: "qemu-killed",
    title: "QEMU killed with SIGKILL, the VM stays down: older bitmaps in-use, the newest never stored",
    base: "newest-unflushed",
    trigger: "event",
    expected: bothLosses("in-use"),
    apply: (_, vm) => vm.kill(),
  }),
  scenario({
    name: "qemu-killed-restarted",
    title: "QEMU killed with SIGKILL and the VM started again: older bitmaps inconsistent, the newest gone",
    base: "newest-unflushed",
    trigger: "event",
    expected: bothLosses("inconsistent"),
    async apply(_, vm) {
      await vm.kill();
      await vm.start();
    },
  }),
  scenario({
    name: "older-image-put-back",
    title: "An older copy of a disk put back while stopped: libvirt's own validation passes, the counts fell",
    trigger: "event",
    expected: each("bitmap.rewound", ALL, { disk: "vda", reason: "count-fell" }),
    async apply(lab, vm) {
      await vm.stop();
      // Into the same file: nothing but the counts gives it away.
      await copyImage(lab.context, stageImage(lab.context, "older", "vda"), vm.disk("vda").path);
      await vm.start();
    },
  }),
  scenario({
    name: "qemu-hung",
    title: "QEMU stopped with SIGSTOP: its monitor does not answer",
    trigger: "observe",
    expected: [],
    cannotTell: { disk: null },
    apply: async (_, vm: LabVm) => vm.pauseProcess(),
  }),
];
