import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { imageInfo } from "../images.ts";
import type { Lab } from "../lab.ts";
import { recordOf } from "../scenarios/base.ts";
import { run } from "../tools.ts";
import type { LabVm } from "../vm.ts";

type Check = (lab: Lab, vm: LabVm) => Promise<void>;

const refusesToBoot: Check = async (_, vm) => {
  await expect(vm.start()).rejects.toThrow(/Failed to start domain/);
};

/** The trap of the domain page: libvirt says that all is well. */
const validates: Check = async (lab, vm) => {
  for (const { disks, ...entry } of recordOf(lab, vm)) {
    const covered = disks.map((target) => ({ target, bitmap: entry.id }));
    await vm.redefine({ ...entry, disks: covered }, { validate: true });
  }
};

const jobIs =
  (word: RegExp): Check =>
  async (_, vm) => {
    expect(await vm.virsh(["domjobinfo", vm.id])).toMatch(word);
  };

/** What the lines of reality.ts cannot show of a scenario. */
export const EXTRAS: Record<string, Check> = {
  async "two-hosts"(lab, vm) {
    for (const host of lab.hosts) expect(await host.virsh(["list", "--uuid"])).toContain(vm.id);
  },
  async renamed(lab, vm) {
    expect(await lab.host("alpha").virsh(["domname", vm.id])).toMatch(/-renamed\s/);
  },
  /** The trap of the domain page: libvirt says that all is well. */
  "older-image-put-back": validates,
  "bitmap-made-anew": validates,
  async "bitmap-removed-live"(lab, vm) {
    const { disks, ...entry } = recordOf(lab, vm).find(({ id }) => id === "cp2") ?? expect.fail();
    const covered = disks.map((target) => ({ target, bitmap: entry.id }));
    const broken = vm.redefine({ ...entry, disks: covered }, { validate: true });
    await expect(broken).rejects.toThrow(/missing or broken bitmap 'cp2' for disk 'vda'/);
  },
  async "overlay-without-bitmaps"(lab, vm) {
    const [top, below] = await imageInfo(lab.context, vm.disk("vda"), { forceShare: true });
    expect(top?.bitmaps).toEqual([]);
    expect(below?.bitmaps.map(({ name }) => name)).toEqual(["cp1", "cp2", "cp3", "cp4"]);
  },
  async "disk-old-qcow2"(lab, vm) {
    const [image] = await imageInfo(lab.context, vm.disk("vdc"), { forceShare: true });
    expect(image?.compat).toBe("0.10");
  },
  async "disk-raw"(lab, vm) {
    const [image] = await imageInfo(lab.context, vm.disk("vdc"), { forceShare: true });
    expect(image?.format).toBe("raw");
  },
  "image-unreadable": refusesToBoot,
  "bitmap-directory-broken": refusesToBoot,
  async "healthy-running"(lab, vm) {
    for (const disk of vm.disks) {
      const [image] = await imageInfo(lab.context, disk, { forceShare: true });
      expect(image?.bitmaps.length).toBeGreaterThan(0);
      for (const bitmap of image?.bitmaps ?? []) expect(bitmap.flags).toContain("in-use");
    }
  },
  async "qemu-hung"(lab, vm) {
    // A signal is delivered a moment after it was sent.
    await expect.poll(() => readFileSync(`/proc/${vm.process().pid}/stat`, "utf8")).toMatch(/\) T /);
    const question = ["-c", lab.host(vm.host).uri, "qemu-monitor-command", vm.id, '{"execute":"query-status"}'];
    await expect(run("virsh", question, { timeoutMs: 1_500 })).rejects.toThrow(/no answer/);
  },
  async "image-held"(lab, vm) {
    const [image] = await imageInfo(lab.context, vm.disk("vda"), { forceShare: true });
    expect(image?.format).toBe("qcow2");
  },
  "backup-running": jobIs(/Operation:\s+Backup/),
  "backup-aborted": jobIs(/None/),
};
