/** The images of one restore point, newest first: each asked for itself, so that none outside a repository is opened. */
import { dirname, isAbsolute, join } from "node:path";
import { z } from "zod";
import { HostFailure, observeError } from "../../failure.ts";
import { typeImageError } from "../../qemu/images.ts";
import { runTool } from "../../qemu/tools.ts";
import { checkFile, type SafePath } from "../paths.ts";

const INFO_TIMEOUT_MS = 30_000;
/** As libvirt: a longer one cannot be restored by QEMU either. */
const LONGEST_CHAIN = 200;

const infoSchema = z.object({
  "virtual-size": z.number(),
  "actual-size": z.number().optional(),
  "backing-filename": z.string().optional(),
  "backing-filename-format": z.string().optional(),
  "format-specific": z.object({ data: z.object({ "data-file": z.string().optional() }).optional() }).optional(),
});

export type ChainImage = { at: SafePath; virtualSize: number; allocatedBytes: number };

async function readInfo(path: string, signal: AbortSignal) {
  // Without --backing-chain qemu-img opens this image alone.
  const args = ["info", "--output=json", "-f", "qcow2", "--", path];
  const { code, stdout, stderr } = await runTool("qemu-img", args, { timeoutMs: INFO_TIMEOUT_MS, signal });
  if (code !== 0) throw new HostFailure(typeImageError(stderr));
  return infoSchema.parse(JSON.parse(stdout));
}

/**
 * @returns what could be read, and why the rest could not
 */
export async function readChain(
  repositories: readonly string[],
  top: SafePath,
  signal: AbortSignal,
): Promise<{ images: ChainImage[]; broken: { path: string; error: HostFailure } | null }> {
  const images: ChainImage[] = [];
  const seen = new Set<string>();
  let next: SafePath = top;
  for (;;) {
    const fail = (error: HostFailure) => ({ images, broken: { path: next.real, error } });
    const refuse = (words: string) => fail(new HostFailure(observeError("unreadable", words)));
    if (seen.has(next.real)) return refuse("This image stands on itself.");
    if (images.length >= LONGEST_CHAIN) return refuse(`The chain has more than ${LONGEST_CHAIN} images.`);
    seen.add(next.real);
    let info: z.infer<typeof infoSchema>;
    try {
      info = await readInfo(next.real, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof HostFailure) return fail(thrown);
      const words = thrown instanceof Error ? thrown.message : String(thrown);
      return fail(new HostFailure(observeError("internal", "qemu-img's answer cannot be read.", words)));
    }
    if (info["format-specific"]?.data?.["data-file"] !== undefined) {
      return refuse("The image keeps its data in another file, which no backup of this agent does.");
    }
    images.push({ at: next, virtualSize: info["virtual-size"], allocatedBytes: info["actual-size"] ?? 0 });
    const backing = info["backing-filename"];
    if (backing === undefined) return { images, broken: null };
    const path = isAbsolute(backing) ? backing : join(dirname(next.real), backing);
    const checked = await checkFile([...repositories, next.repository], path);
    if (!checked.ok) return refuse(`It stands on ${path}, which ${checked.reason}.`);
    if (info["backing-filename-format"] !== "qcow2")
      return refuse(`It stands on ${path}, which it does not call qcow2.`);
    next = checked.at;
  }
}
