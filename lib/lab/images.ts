import { chownSync } from "node:fs";
import type { LabContext } from "./context.ts";
import type { LabDisk } from "./state.ts";
import { run } from "./tools.ts";

export type ImageBitmap = { name: string; flags: string[]; granularity: number };
export type ImageInfo = {
  filename: string;
  format: string;
  compat: string | null;
  backing: string | null;
  bitmaps: ImageBitmap[];
};

/** Runs a tool as the owner of the images, so that QEMU may open what it makes. */
export function runOnImage(lab: LabContext, tool: string, args: string[]): Promise<string> {
  return run(tool, args, { as: lab.account, env: lab.environment });
}

export async function createImage(lab: LabContext, disk: LabDisk): Promise<void> {
  const options = disk.format === "raw" ? [] : ["-o", `compat=${disk.format === "qcow2-v2" ? "0.10" : "1.1"}`];
  const format = disk.format === "raw" ? "raw" : "qcow2";
  await runOnImage(lab, "qemu-img", ["create", "-q", "-f", format, ...options, disk.path, `${disk.sizeMiB}M`]);
}

/** Copies an image; holes stay holes. The target keeps its inode when it exists. */
export async function copyImage(lab: LabContext, from: string, to: string): Promise<void> {
  await runOnImage(lab, "cp", ["--sparse=auto", "--reflink=auto", from, to]);
}

/** The whole backing chain, active layer first. Fails when somebody else has the image open for writing. */
export async function imageInfo(
  lab: LabContext,
  path: string,
  options: { forceShare?: boolean } = {},
): Promise<ImageInfo[]> {
  const share = options.forceShare ? ["--force-share"] : [];
  const text = await runOnImage(lab, "qemu-img", ["info", ...share, "--backing-chain", "--output=json", path]);
  type Raw = {
    filename: string;
    format: string;
    "full-backing-filename"?: string;
    "format-specific"?: { data?: { compat?: string; bitmaps?: ImageBitmap[] } };
  };
  return (JSON.parse(text) as Raw[]).map((layer) => ({
    filename: layer.filename,
    format: layer.format,
    compat: layer["format-specific"]?.data?.compat ?? null,
    backing: layer["full-backing-filename"] ?? null,
    bitmaps: layer["format-specific"]?.data?.bitmaps ?? [],
  }));
}

/** Offline `qemu-img bitmap`: changes one bitmap of a stopped disk. */
export async function changeImageBitmap(
  lab: LabContext,
  path: string,
  action: "add" | "remove" | "enable" | "disable" | "clear",
  bitmap: string,
): Promise<void> {
  await runOnImage(lab, "qemu-img", ["bitmap", `--${action}`, path, bitmap]);
}

/** Writes into a stopped disk through QEMU's block layer, which keeps its bitmaps up to date. */
export async function writeImage(
  lab: LabContext,
  disk: LabDisk,
  offset: number,
  length: number,
  pattern: number,
): Promise<void> {
  const format = disk.format === "raw" ? "raw" : "qcow2";
  await runOnImage(lab, "qemu-io", ["-f", format, "-c", `write -P ${pattern} ${offset} ${length}`, disk.path]);
}

/** Gives a file that this process wrote to the account that QEMU runs as. */
export function giveToLab(lab: LabContext, path: string): void {
  if (lab.account !== null) chownSync(path, lab.account.uid, lab.account.gid);
}
