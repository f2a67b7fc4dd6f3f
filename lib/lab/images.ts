import type { LabContext } from "./context.ts";
import type { LabDisk } from "./state.ts";
import { run } from "./tools.ts";
import { driverOf } from "./xml.ts";

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
  await runOnImage(lab, "qemu-img", ["create", "-q", "-f", driverOf(disk), ...options, disk.path, `${disk.sizeMiB}M`]);
}

/** Copies an image; holes stay holes. The target keeps its inode when it exists. */
export async function copyImage(lab: LabContext, from: string, to: string): Promise<void> {
  await runOnImage(lab, "cp", ["--sparse=auto", "--reflink=auto", from, to]);
}

/**
 * The whole backing chain, active layer first. Fails when somebody else has the image open for writing, unless
 * `forceShare`. The format is given, never probed: a damaged qcow2 would pass for a raw image.
 */
export async function imageInfo(
  lab: LabContext,
  disk: Pick<LabDisk, "path" | "format">,
  options: { forceShare?: boolean } = {},
): Promise<ImageInfo[]> {
  const share = options.forceShare ? ["--force-share"] : [];
  const args = ["info", ...share, "--backing-chain", "--output=json", "-f", driverOf(disk), disk.path];
  const text = await runOnImage(lab, "qemu-img", args);
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
  await runOnImage(lab, "qemu-io", ["-f", driverOf(disk), "-c", `write -P ${pattern} ${offset} ${length}`, disk.path]);
}
