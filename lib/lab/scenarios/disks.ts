import { renameSync } from "node:fs";
import { open } from "node:fs/promises";
import { copyImage, createImage } from "../images.ts";
import type { Lab } from "../lab.ts";
import type { DiskFormat, LabDisk } from "../state.ts";
import { withDocument } from "../temporary.ts";
import type { LabVm } from "../vm.ts";
import { buildXml, diskXml } from "../xml.ts";
import { extraFile, setAside } from "./base.ts";
import { type Scenario, scenario } from "./types.ts";

export const DISKS: Scenario[] = [
  scenario({
    name: "disk-added",
    title: "A disk attached to the running VM: no checkpoint covers it",
    trigger: "observe",
    expected: [{ kind: "disk.added", disk: "vdc" }],
    apply: (lab, vm) => attach(lab, vm, "qcow2"),
  }),
  scenario({
    name: "disk-removed",
    title: "A recorded disk taken away while the VM was stopped",
    trigger: "event",
    expected: [{ kind: "disk.gone", disk: "vdb" }],
    async apply(_, vm) {
      await vm.stop();
      await vm.redefineDisks(vm.disks.filter((disk) => disk.target !== "vdb"));
      await vm.start();
    },
  }),
  scenario({
    name: "disk-replaced",
    title: "Another file in the place of a disk's image, with the same content",
    trigger: "event",
    expected: [{ kind: "disk.replaced", disk: "vda", reason: "inode" }],
    async apply(lab, vm) {
      const { path } = vm.disk("vda");
      await vm.stop();
      await copyImage(lab.context, path, `${path}.new`);
      setAside(path);
      renameSync(`${path}.new`, path);
      await vm.start();
    },
  }),
  scenario({
    name: "disk-raw",
    title: "A raw disk: it cannot hold bitmaps",
    trigger: "observe",
    expected: [{ kind: "disk.unsupported", disk: "vdc", reason: "raw" }],
    apply: (lab, vm) => attach(lab, vm, "raw"),
  }),
  scenario({
    name: "disk-old-qcow2",
    title: "A qcow2 disk of compat 0.10: it cannot hold persistent bitmaps",
    trigger: "observe",
    expected: [{ kind: "disk.unsupported", disk: "vdc", reason: "compat-0.10" }],
    apply: (lab, vm) => attach(lab, vm, "qcow2-v2"),
  }),
  scenario({
    name: "image-unreadable",
    title: "The first cluster of a stopped image overwritten: QEMU cannot open it, the VM will not boot",
    trigger: "observe",
    expected: [{ kind: "disk.unreadable", disk: "vdb" }],
    async apply(_, vm) {
      await vm.stop();
      const file = await open(vm.disk("vdb").path, "r+");
      await file.write(Buffer.alloc(65_536), 0, 65_536, 0);
      await file.close();
    },
  }),
  scenario({
    name: "bitmap-directory-broken",
    title: "A stopped image whose bitmap directory is damaged: still a qcow2, but QEMU refuses to open it",
    trigger: "observe",
    expected: [{ kind: "disk.unreadable", disk: "vdb" }],
    async apply(_, vm) {
      await vm.stop();
      await breakBitmapDirectory(vm.disk("vdb").path);
    },
  }),
  scenario({
    name: "image-missing",
    title: "The image of a stopped VM is not where it was: storage not mounted, or moved away",
    trigger: "observe",
    expected: [],
    cannotTell: { disk: "vdb" },
    async apply(_, vm) {
      await vm.stop();
      setAside(vm.disk("vdb").path);
    },
  }),
];

async function attach(lab: Lab, vm: LabVm, format: DiskFormat): Promise<void> {
  const disk: LabDisk = { target: "vdc", sizeMiB: 16, format, path: extraFile(lab, vm, `vdc.${format}`) };
  await createImage(lab.context, disk);
  await withDocument(lab.context, buildXml({ disk: diskXml(disk) }), (path) =>
    vm.virsh(["attach-device", vm.id, path, "--live", "--config"]),
  );
  await vm.recordDisks([...vm.disks, disk]);
}

const BITMAPS_EXTENSION = 0x23852875;

/**
 * Sets the length of the first bitmap's name to zero in the image's bitmap directory (qcow2 specification, "Bitmap
 * directory"): the entries after it are then read at the wrong place, and QEMU refuses the whole image.
 */
async function breakBitmapDirectory(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    const header = Buffer.alloc(65_536);
    await file.read(header, 0, header.length, 0);
    let at = header.readUInt32BE(100); // header_length: the extensions begin
    while (header.readUInt32BE(at) !== BITMAPS_EXTENSION) {
      if (header.readUInt32BE(at) === 0) throw new Error(`${path} has no bitmaps`);
      at += 8 + Math.ceil(header.readUInt32BE(at + 4) / 8) * 8;
    }
    const directory = Number(header.readBigUInt64BE(at + 24)); // after magic, length, count, reserved, directory size
    await file.write(Buffer.alloc(2), 0, 2, directory + 18); // name_size of the first entry
  } finally {
    await file.close();
  }
}
