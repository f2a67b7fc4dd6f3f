import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../lab.ts";
import { run, until } from "../tools.ts";
import type { LabVm } from "../vm.ts";
import { extraFile, holderSocket } from "./base.ts";
import { takeSnapshot } from "./bitmaps.ts";
import { type Scenario, scenario } from "./types.ts";

/** What looks like drift and is none, jobs, and what cannot be told. */
export const HEALTHY: Scenario[] = [
  scenario({
    name: "healthy-running",
    title: "Running and healthy, although every bitmap in its image files shows in-use",
    trigger: "observe",
    expected: [],
    apply: async () => {},
  }),
  scenario({
    name: "healthy-stopped",
    title: "Stopped cleanly: all bitmaps stored",
    trigger: "event",
    expected: [],
    apply: (_, vm) => vm.stop(),
  }),
  scenario({
    name: "paused",
    title: "Paused by libvirt: QEMU still answers",
    trigger: "event",
    expected: [],
    apply: (_, vm) => vm.suspend(),
  }),
  scenario({
    name: "snapshot-with-bitmaps",
    title: "An external snapshot taken by libvirt, which makes the bitmaps anew in the overlay",
    trigger: "observe",
    expected: [],
    apply: takeSnapshot,
  }),
  scenario({
    name: "image-held",
    title: "Stopped, and somebody else has a disk's image open: cannot tell",
    trigger: "observe",
    expected: [],
    cannotTell: { disk: "vda" },
    async apply(lab, vm) {
      await vm.stop();
      await holdImage(lab, vm, "vda");
    },
  }),
  scenario({
    name: "backup-running",
    title: "A pull-mode backup that lasts until it is aborted: healthy as long as it is younger than a manager's limit",
    trigger: "observe",
    expected: [],
    async apply(lab, vm) {
      const disks = Object.fromEntries(
        vm.disks.map(({ target }) => [target, { path: extraFile(lab, vm, `scratch-${target}`) }]),
      );
      await vm.backupBegin({ mode: "pull", disks, socket: extraFile(lab, vm, "pull.sock") });
    },
  }),
  scenario({
    name: "backup-aborted",
    title: "A backup that was aborted: the checkpoint it asked for stays behind and must never be a base",
    trigger: "observe",
    expected: [{ kind: "metadata.unknown", checkpointId: "cp5" }],
    async apply(lab, vm) {
      const disks = Object.fromEntries(
        vm.disks.map(({ target }) => [target, { path: extraFile(lab, vm, `scratch-${target}`) }]),
      );
      const checkpoint = { id: "cp5", disks: vm.disks.map(({ target }) => ({ target, bitmap: "cp5" })) };
      await vm.backupBegin({ mode: "pull", disks, socket: extraFile(lab, vm, "pull.sock") }, { checkpoint });
      await vm.abortJob();
      await until("the backup job to end", 10_000, async () => /None/.test(await vm.virsh(["domjobinfo", vm.id])));
    },
  }),
];

/**
 * A qemu-nbd has the image open for writing. Its socket's name marks it for the undo and the clean-up. It forks once it
 * serves: a look at the image before that would hold the very lock that it needs.
 */
async function holdImage(lab: Lab, vm: LabVm, target: string): Promise<void> {
  const disk = vm.disk(target);
  mkdirSync(join(lab.dir, "tmp"), { recursive: true });
  const options = ["--fork", "--persistent", "--format=qcow2", `--socket=${holderSocket(lab, vm)}`];
  await run("qemu-nbd", [...options, disk.path], { env: lab.context.environment });
}
