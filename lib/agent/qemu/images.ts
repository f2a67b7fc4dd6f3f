/** Bitmaps of an image that no QEMU has open, from qemu-img info over its whole backing chain. */
import { z } from "zod";
import type { DiskLayer, ObserveError, Read } from "#chain/model.ts";
import { HostFailure, observeError } from "../failure.ts";
import type { LiveDisk } from "./nodes.ts";
import { makeLimiter, runTool } from "./tools.ts";

const INFO_TIMEOUT_MS = 10_000;
const limit = makeLimiter(4);

const infoSchema = z.array(
  z.object({
    filename: z.string(),
    format: z.string(),
    "virtual-size": z.number(),
    "format-specific": z
      .object({
        data: z
          .object({
            compat: z.string().optional(),
            bitmaps: z
              .array(z.object({ name: z.string(), granularity: z.int().min(0), flags: z.array(z.string()) }))
              .optional(),
          })
          .optional(),
      })
      .optional(),
  }),
);

/** strerror texts of trouble on the way to the image: they say nothing about the image. */
const TROUBLE =
  /Input\/output error|Stale file handle|Too many open files|Cannot allocate memory|Transport endpoint|Connection (refused|reset|timed out)|Resource temporarily unavailable|Network is|Host is|No route to host|Device or resource busy|Interrupted system call/;

/**
 * Types what qemu-img said. QEMU has no codes, so this is the one place where its words are matched
 * (LC_ALL=C, QEMU 7.2's block/file-posix.c and block.c). What is neither lock, permission, absence nor trouble on
 * the way is the format driver's verdict on the image: `unreadable`.
 */
export function typeImageError(stderr: string): ObserveError {
  const words = stderr.trim().slice(0, 2000);
  if (/Failed to get (shared )?".*" lock|Is another process using/.test(words)) {
    return observeError("image-locked", "Another process has this image open.", words);
  }
  if (/Permission denied|Operation not permitted/.test(words)) {
    return observeError("permission-denied", "The agent may not open this image.", words);
  }
  if (/No such file or directory|No such device/.test(words)) {
    return observeError("image-missing", "There is no such image, or a layer below it is missing.", words);
  }
  if (TROUBLE.test(words)) return observeError("internal", "The image could not be reached.", words);
  return observeError("unreadable", "QEMU cannot open this image.", words);
}

export function readImageInfo(stdout: string): LiveDisk {
  const parsed = infoSchema.safeParse(JSON.parse(stdout));
  if (!parsed.success) throw new Error(`qemu-img's answer has an unknown shape: ${parsed.error.issues[0]?.message}`);
  const layers = parsed.data.map((image, depth): DiskLayer => {
    const data = image["format-specific"]?.data;
    return {
      depth,
      path: image.filename,
      format: image.format,
      qcow2Compat: data?.compat ?? null,
      // One with an empty name may exist in an image; QEMU shows it nameless, and nobody can name it.
      bitmaps: (data?.bitmaps ?? [])
        .filter((b) => b.name !== "")
        .map((b) => ({
          name: b.name,
          recording: b.flags.includes("auto"),
          busy: false,
          persistent: true,
          inconsistent: b.flags.includes("in-use"),
          dirtyBytes: null,
          granularity: b.granularity,
        })),
    };
  });
  return { layers, virtualSize: parsed.data[0]?.["virtual-size"] ?? null };
}

/**
 * The image's chain, active layer first. The format comes from the domain: a raw disk is never probed.
 * `forceShare`: takes no lock; the caller has made sure that nobody writes. Without it a lock held by anyone is an
 * error, and a VM that is started during the read cannot start.
 */
export async function readImage(
  path: string,
  format: string,
  { forceShare }: { forceShare: boolean },
): Promise<Read<LiveDisk>> {
  if (!path.startsWith("/")) {
    const error = observeError("unsupported-source", "The image's path is not absolute.", path);
    return { ok: false, error };
  }
  const share = forceShare ? ["--force-share"] : [];
  const args = ["info", "--output=json", "--backing-chain", ...share, "-f", format, "--", path];
  try {
    const result = await limit(() => runTool("qemu-img", args, { timeoutMs: INFO_TIMEOUT_MS }));
    if (result.code !== 0) return { ok: false, error: typeImageError(result.stderr) };
    return { ok: true, value: readImageInfo(result.stdout) };
  } catch (thrown) {
    if (thrown instanceof HostFailure) return { ok: false, error: thrown.error };
    const words = thrown instanceof Error ? thrown.message : String(thrown);
    return { ok: false, error: observeError("internal", "qemu-img's answer cannot be read.", words) };
  }
}
