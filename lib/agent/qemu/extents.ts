/** Dirty extents of a bitmap as an NBD server tells them, folded into buckets for a strip. */
import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { HostFailure, observeError } from "../failure.ts";
import { typeImageError } from "./images.ts";
import { runTool } from "./tools.ts";

const MAP_TIMEOUT_MS = 20_000;
const SERVER_START_MS = 5_000;

export type DirtyExtent = { offset: number; lengthBytes: number };
export type Bucket = { offset: number; lengthBytes: number; dirtyBytes: number; extents: number };

const mapSchema = z.array(z.object({ offset: z.int().min(0), length: z.int().min(0), type: z.int() }));

/** The dirty parts of nbdinfo's map of a `qemu:dirty-bitmap:` context: bit 0 of the type. Neighbours are joined. */
export function readDirtyMap(stdout: string): DirtyExtent[] {
  const extents: DirtyExtent[] = [];
  for (const { offset, length, type } of mapSchema.parse(JSON.parse(stdout))) {
    if ((type & 1) === 0 || length === 0) continue;
    const last = extents.at(-1);
    if (last !== undefined && last.offset + last.lengthBytes === offset) last.lengthBytes += length;
    else extents.push({ offset, lengthBytes: length });
  }
  return extents;
}

/** What is dirty in any of these maps, in order, neighbours joined. */
export function uniteExtents(maps: readonly DirtyExtent[][]): DirtyExtent[] {
  const united: DirtyExtent[] = [];
  for (const { offset, lengthBytes } of maps.flat().sort((a, b) => a.offset - b.offset)) {
    const last = united.at(-1);
    if (last === undefined || last.offset + last.lengthBytes < offset) united.push({ offset, lengthBytes });
    else last.lengthBytes = Math.max(last.lengthBytes, offset + lengthBytes - last.offset);
  }
  return united;
}

/**
 * Folds extents into at most `most` buckets of equal size, a multiple of the granularity; together they cover the disk.
 * An extent that spans several buckets counts in each.
 */
export function foldExtents(
  extents: DirtyExtent[],
  { virtualSize, granularity, most }: { virtualSize: number; granularity: number; most: number },
): { bucketBytes: number; buckets: Bucket[] } {
  const unit = Math.max(granularity, 1);
  const bucketBytes = Math.max(unit, Math.ceil(virtualSize / most / unit) * unit);
  const count = Math.ceil(virtualSize / bucketBytes);
  const buckets = Array.from({ length: count }, (_, i): Bucket => {
    const offset = i * bucketBytes;
    return { offset, lengthBytes: Math.min(bucketBytes, virtualSize - offset), dirtyBytes: 0, extents: 0 };
  });
  for (const { offset, lengthBytes } of extents) {
    const end = Math.min(offset + lengthBytes, virtualSize);
    for (let i = Math.floor(offset / bucketBytes); i * bucketBytes < end; i += 1) {
      const bucket = buckets[i];
      if (bucket === undefined) break;
      const from = Math.max(offset, bucket.offset);
      bucket.dirtyBytes += Math.min(end, bucket.offset + bucket.lengthBytes) - from;
      bucket.extents += 1;
    }
  }
  return { bucketBytes, buckets };
}

/** Asks an NBD server on a unix socket. @throws HostFailure */
export async function mapDirty(socketPath: string, exportName: string, context: string): Promise<DirtyExtent[]> {
  const uri = `nbd+unix:///${encodeURIComponent(exportName)}?socket=${encodeURIComponent(socketPath)}`;
  const args = ["--json", `--map=qemu:dirty-bitmap:${context}`, uri];
  const result = await runTool("nbdinfo", args, { timeoutMs: MAP_TIMEOUT_MS });
  if (result.code !== 0) {
    throw new HostFailure(observeError("qmp-failed", "The NBD server gave no map.", result.stderr.slice(0, 2000)));
  }
  return readDirtyMap(result.stdout);
}

/**
 * Dirty extents of a bitmap of a stopped VM's disk: after a snapshot every layer of the disk has one of that name, with what
 * was written while that layer was the uppermost.
 * @param layers those that hold the bitmap @throws HostFailure
 */
export async function readColdBitmap(
  layers: readonly { path: string; format: string }[],
  bitmap: string,
): Promise<DirtyExtent[]> {
  const folder = await mkdtemp(join(tmpdir(), "driftline-nbd-"));
  try {
    const maps: DirtyExtent[][] = [];
    for (const [i, { path, format }] of layers.entries()) {
      maps.push(await readColdExtents({ path, format, bitmap }, join(folder, `${i}.sock`)));
    }
    return uniteExtents(maps);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Dirty extents of a bitmap in an image of which the caller knows that nobody writes to it. A read-only qemu-nbd serves
 * one client on a unix socket and ends with it. With force-share it takes no lock that could stop the VM's next start.
 * @throws HostFailure
 */
async function readColdExtents(
  image: { path: string; format: string; bitmap: string },
  socketPath: string,
): Promise<DirtyExtent[]> {
  // QEMU's json: form, because qemu-nbd has no flag for it; the path is a value in it and never parsed.
  const file = { driver: statSync(image.path).isBlockDevice() ? "host_device" : "file", filename: image.path };
  const source = `json:${JSON.stringify({ driver: image.format, "force-share": true, file })}`;
  const args = ["-r", "-B", image.bitmap, "-k", socketPath, "--", source];
  const server = spawn("qemu-nbd", args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { NODE_ENV: process.env.NODE_ENV, PATH: process.env.PATH ?? "", LC_ALL: "C" },
  });
  let stderr = "";
  server.stderr.on("data", (chunk: Buffer) => {
    if (stderr.length < 4000) stderr += chunk.toString("utf8");
  });
  const ended = new Promise<"ended" | "missing">((resolve) => {
    server.once("error", () => resolve("missing"));
    server.once("close", () => resolve("ended"));
  });
  try {
    await waitForSocket(socketPath, ended, () => stderr);
    return await mapDirty(socketPath, "", image.bitmap);
  } finally {
    server.kill("SIGKILL");
  }
}

async function waitForSocket(path: string, ended: Promise<"ended" | "missing">, words: () => string): Promise<void> {
  const deadline = Date.now() + SERVER_START_MS;
  while (!existsSync(path)) {
    const pause = new Promise<"wait">((resolve) => setTimeout(() => resolve("wait"), 20));
    const state = await Promise.race([ended, pause]);
    if (state === "missing") throw new HostFailure(observeError("tool-missing", "qemu-nbd is not installed."));
    if (state === "ended") throw new HostFailure(typeImageError(words()));
    if (Date.now() > deadline) {
      throw new HostFailure(observeError("timeout", `qemu-nbd did not start within ${SERVER_START_MS / 1000} s.`));
    }
  }
}
