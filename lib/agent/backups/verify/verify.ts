/**
 * The proof of a restore: every image of the chain is checked, the chain is restored to a temporary file, its whole
 * content is hashed, and compared with the disk itself where that says something.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { statfs } from "node:fs/promises";
import { z } from "zod";
import type { HostError, VerifyBackupInput, VerifyItem } from "#contract/agent-operations.ts";
import { invalidInput } from "#contract/offences.ts";
import { HostFailure, observeError } from "../../failure.ts";
import { hostError, isNoSpace, toHostError } from "../../host-error.ts";
import { typeImageError } from "../../qemu/images.ts";
import { runWithProgress } from "../../qemu/progress.ts";
import { makeLimiter, runTool } from "../../qemu/tools.ts";
import { checkFile, type SafePath } from "../paths.ts";
import { type ChainImage, readChain } from "./chain.ts";
import { streamOf } from "./stream.ts";
import type { TemporaryFiles } from "./temporary.ts";

export type DiskItem = Extract<VerifyItem, { type: "disk" }>;
type ImageResult = DiskItem["images"][number];
type What = Extract<VerifyItem, { type: "progress" }>["what"];
export type Compared = Pick<DiskItem, "comparedWithDisk" | "detail">;

/** Compares a restored file with the disk itself; says why where that is not possible. Never throws but for the signal. */
export type CompareDisk = (
  target: string,
  restored: string,
  options: { signal: AbortSignal; timeoutMs: number; onProgress: (part: number) => void },
) => Promise<Compared>;

export type Verifier = {
  repositories: readonly string[];
  temporary: TemporaryFiles;
  /** null: nothing is to be compared. */
  compare: CompareDisk | null;
};

/** The slowest storage that is waited for. */
const SLOWEST_BYTES_PER_MS = 2 * 1024;
const SHORTEST_MS = 120_000;
const PROGRESS_EVERY_MS = 250;
const SPARE_BYTES = 16 * 2 ** 20;
/** A restore keeps a disk busy; more at once are not faster. */
const limit = makeLimiter(2);

const timeFor = (bytes: number): number => SHORTEST_MS + bytes / SLOWEST_BYTES_PER_MS;

/** qemu-img check: 0 good, 2 corruptions, 3 leaks only, 1 and 63 it could not check. */
const checkSchema = z.object({
  corruptions: z.int().default(0),
  leaks: z.int().default(0),
  "check-errors": z.int().default(0),
});

async function checkImage({ at, allocatedBytes }: ChainImage, signal: AbortSignal): Promise<ImageResult> {
  const args = ["check", "--output=json", "-f", "qcow2", "--", at.real];
  const { code, stdout, stderr } = await runTool("qemu-img", args, { timeoutMs: timeFor(allocatedBytes), signal });
  const path = at.path;
  if (code !== 0 && code !== 2 && code !== 3) {
    return { path, ok: false, corruptions: null, leaks: null, error: typeImageError(stderr || stdout).hostMessage };
  }
  const result = checkSchema.safeParse(JSON.parse(stdout));
  if (!result.success) return { path, ok: false, corruptions: null, leaks: null, error: "no result of the check" };
  const { corruptions, leaks, "check-errors": errors } = result.data;
  // Leaked clusters cost space and spoil nothing.
  return { path, ok: corruptions === 0 && errors === 0, corruptions, leaks, error: errors === 0 ? null : stderr };
}

/** Restored, a chain takes at most what its images hold. @throws HostFailure no-space is a HostError, so it is returned */
async function findSpaceFault(repository: string, images: readonly ChainImage[]): Promise<HostError | null> {
  const virtualSize = images[0]?.virtualSize ?? 0;
  const held = images.reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
  const needed = Math.min(virtualSize, held) + SPARE_BYTES;
  const { bavail, bsize } = await statfs(repository);
  const free = bavail * bsize;
  if (free >= needed) return null;
  const words = `${free} bytes are free in ${repository}, up to ${needed} are needed`;
  return hostError("no-space", "There is no room to restore the backup to a temporary file.", { hostMessage: words });
}

async function hashFile(path: string, signal: AbortSignal, onBytes: (done: number) => void): Promise<string> {
  const hash = createHash("sha256");
  let done = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, signal })) {
    hash.update(chunk as Buffer);
    done += (chunk as Buffer).length;
    onBytes(done);
  }
  return hash.digest("hex");
}

type Emit = (item: VerifyItem) => void;

async function verifyDisk(
  { repositories, temporary, compare }: Verifier,
  target: string,
  file: SafePath,
  emit: Emit,
  signal: AbortSignal,
): Promise<DiskItem> {
  let saidAt = 0;
  const progress = (what: What, doneBytes: number, totalBytes: number): void => {
    if (doneBytes < totalBytes && Date.now() - saidAt < PROGRESS_EVERY_MS) return;
    saidAt = Date.now();
    emit({ type: "progress", target, what, doneBytes: Math.min(Math.round(doneBytes), totalBytes), totalBytes });
  };
  const { images: chain, broken } = await readChain(repositories, file, signal);
  const images: ImageResult[] = [];
  const total = chain.reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
  let checked = 0;
  for (const image of chain) {
    progress("check", checked, total);
    images.push(await checkImage(image, signal));
    checked += image.allocatedBytes;
  }
  progress("check", total, total);
  const virtualSize = chain[0]?.virtualSize ?? null;
  const item: DiskItem = {
    type: "disk",
    target,
    images,
    sha256: null,
    virtualSize,
    comparedWithDisk: "not-comparable",
    detail: compare === null ? "Nothing was asked." : null,
    error: null,
  };
  if (broken !== null) {
    const { error } = broken.error;
    const words = error.hostMessage ?? error.message;
    images.push({ path: broken.path, ok: false, corruptions: null, leaks: null, error: words });
    return { ...item, detail: "It cannot be restored.", error: toHostError(broken.error) };
  }
  if (images.some(({ ok }) => !ok) || virtualSize === null) {
    const error = hostError("unreadable", "An image of the chain is damaged: it was not restored.");
    return { ...item, detail: "It cannot be restored.", error };
  }
  const noSpace = await findSpaceFault(file.repository, chain);
  if (noSpace !== null) return { ...item, detail: "It was not restored.", error: noSpace };
  return await temporary.with(file.repository, async (restored) => {
    // Written once and read once.
    const both = virtualSize * 2;
    const timeoutMs = timeFor(virtualSize);
    const args = ["convert", "-p", "-f", "qcow2", "-O", "raw", "--", file.real, restored];
    const { code, stderr } = await runWithProgress("qemu-img", args, {
      timeoutMs,
      signal,
      onProgress: (part) => progress("restore", part * virtualSize, both),
    });
    if (code !== 0) {
      const error = isNoSpace(stderr)
        ? hostError("no-space", "The repository has no space left for the temporary file.", { hostMessage: stderr })
        : toHostError(new HostFailure(typeImageError(stderr)));
      return { ...item, detail: "It could not be restored.", error };
    }
    const sha256 = await hashFile(restored, signal, (done) => progress("restore", virtualSize + done, both));
    progress("restore", both, both);
    if (compare === null) return { ...item, sha256 };
    const onProgress = (part: number): void => progress("compare", part * virtualSize, virtualSize);
    const compared = await compare(target, restored, { signal, timeoutMs, onProgress });
    return { ...item, sha256, ...compared };
  });
}

/**
 * Verifies disk after disk. A disk that fails is an item with its error; the others go on.
 * @throws ProblemError invalid_input naming every path that is not a file inside a repository
 */
export async function verifyDisks(
  verifier: Verifier,
  { disks }: VerifyBackupInput,
  signal: AbortSignal,
): Promise<AsyncGenerator<VerifyItem>> {
  const checked = await Promise.all(disks.map(({ path }) => checkFile(verifier.repositories, path)));
  const offences = checked.flatMap((one, i) => (one.ok ? [] : [{ field: `disks[${i}].path`, reason: one.reason }]));
  if (offences.length > 0) throw invalidInput(offences);
  return streamOf<VerifyItem>(signal, async (emit, until) => {
    for (const [i, { target }] of disks.entries()) {
      const one = checked[i];
      if (!one?.ok) continue;
      emit(await limit(() => verifyOrFail(verifier, target, one.at, emit, until)));
    }
    emit({ type: "done", at: new Date().toISOString() });
  });
}

async function verifyOrFail(...args: Parameters<typeof verifyDisk>): Promise<DiskItem> {
  const [, target, file, , signal] = args;
  try {
    return await verifyDisk(...args);
  } catch (thrown) {
    signal.throwIfAborted();
    const failure =
      thrown instanceof HostFailure
        ? thrown
        : new HostFailure(
            observeError(
              "internal",
              "The backup could not be verified.",
              thrown instanceof Error ? thrown.message : null,
            ),
          );
    return {
      type: "disk",
      target,
      images: [],
      sha256: null,
      virtualSize: null,
      comparedWithDisk: "not-comparable",
      detail: `${file.path} could not be read back.`,
      error: toHostError(failure),
    };
  }
}
