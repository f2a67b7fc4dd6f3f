import { statSync } from "node:fs";
import { basename } from "node:path";
import { imageInfo } from "../images.ts";
import type { Lab } from "../lab.ts";
import type { LabVm, SeenBitmap } from "../vm.ts";

/** All that virsh, QMP and qemu-img say of a VM, one fact a line, and the dirty counts, which only QEMU tells. */
export type Reality = { lines: string[]; counts: Record<string, number> };

/** Inode of each base image, to tell a file from another one of the same name. */
export type Inodes = Map<string, number>;

export function inodesOf(vm: LabVm): Inodes {
  return new Map(vm.disks.map(({ path }) => [path, statSync(path).ino]));
}

export async function readReality(lab: Lab, vm: LabVm, inodes: Inodes): Promise<Reality> {
  const power = await vm.power();
  const lines = [`power ${power} on ${vm.host}`];
  if (power === "absent") return { lines, counts: {} };
  for (const { id, parentId, disks, hasDisksElement } of await vm.checkpoints()) {
    const covered = disks.map(({ target, bitmap }) => (bitmap === id ? target : `${target}=${bitmap}`)).join(" ");
    lines.push(`checkpoint ${id} under ${parentId ?? "-"} on ${hasDisksElement ? covered : "(no disks element)"}`);
  }
  const counts: Record<string, number> = {};
  const short = (path: string) => basename(path).replace(/^.*[-+](vd.|fork|overlay|snapshot)/, "$1");
  const { seen, faults } = power === "shut off" ? await readCold(lab, vm) : { seen: await vm.bitmaps(), faults: [] };
  lines.push(...faults.map(({ target, words }) => `image of ${target}: ${words}`));
  for (const bitmap of seen) {
    lines.push(`bitmap ${short(bitmap.layer)} ${bitmap.name}${marksOf(bitmap)}`);
    if (bitmap.dirtyBytes !== null) counts[`${short(bitmap.layer)} ${bitmap.name}`] = bitmap.dirtyBytes;
  }
  for (const [target, path] of await blockList(vm))
    lines.push(`disk ${target} ${short(path)}${fileMark(path, inodes)}`);
  return { lines: lines.sort(), counts };
}

function marksOf(bitmap: SeenBitmap): string {
  const marks = [
    bitmap.inconsistent ? "inconsistent" : bitmap.recording ? "" : "off",
    bitmap.persistent ? "" : "volatile",
    bitmap.granularity === 65_536 ? "" : `granularity=${bitmap.granularity}`,
  ];
  return marks
    .filter(Boolean)
    .map((mark) => ` ${mark}`)
    .join("");
}

function fileMark(path: string, inodes: Inodes): string {
  const known = inodes.get(path);
  if (known === undefined) return "";
  const now = statSync(path, { throwIfNoEntry: false })?.ino;
  return now === undefined ? " no file" : now === known ? "" : " another file";
}

/** Target and path of each disk as virsh lists them. */
async function blockList(vm: LabVm): Promise<[string, string][]> {
  const rows = (await vm.virsh(["domblklist", vm.id])).split("\n").slice(2);
  return rows.filter(Boolean).map((row) => {
    const [target = "", path = ""] = row.trim().split(/\s+/);
    return [target, path];
  });
}

async function readCold(lab: Lab, vm: LabVm) {
  const seen: SeenBitmap[] = [];
  const faults: { target: string; words: string }[] = [];
  for (const disk of vm.disks) {
    try {
      for (const layer of await imageInfo(lab.context, disk))
        for (const { name, flags, granularity } of layer.bitmaps)
          seen.push({
            target: disk.target,
            layer: layer.filename,
            name,
            recording: flags.includes("auto"),
            inconsistent: flags.includes("in-use"),
            persistent: true,
            busy: false,
            dirtyBytes: null,
            granularity,
          });
    } catch (cause) {
      // The last clause of QEMU's message; a hint may follow on a line of its own.
      const [words = ""] = (cause as { stderr: string }).stderr.split("\n");
      faults.push({ target: disk.target, words: words.split("': ").at(-1) ?? words });
    }
  }
  return { seen, faults };
}

/** What is there no more ("- …") and what is there now ("+ …"), sorted. */
export function difference(before: Reality, after: Reality): string[] {
  const lost = before.lines.filter((line) => !after.lines.includes(line)).map((line) => `- ${line}`);
  const come = after.lines.filter((line) => !before.lines.includes(line)).map((line) => `+ ${line}`);
  return [...lost, ...come].sort();
}
