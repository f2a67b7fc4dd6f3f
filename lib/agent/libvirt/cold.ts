/** The images of a domain that does not run, read without a lock that could stop its next start. */
import type { Read } from "#chain/model.ts";
import { observeError } from "../failure.ts";
import { readImage } from "../qemu/images.ts";
import type { LiveDisk } from "../qemu/nodes.ts";
import type { CallPool } from "./call-pool.ts";
import type { InspectedDisk } from "./ipc.ts";

type Cold = Read<LiveDisk>;

const locked = (path: string): Cold => ({
  ok: false,
  error: observeError(
    "image-locked",
    "Another process has this image open for writing.",
    `QEMU's lock on ${path} is held`,
  ),
});

const isLocked = (read: Cold): boolean => !read.ok && read.error.code === "image-locked";

/**
 * A libvirt that is killed as a backup begins may write a state that it cannot read when it is back: it then takes the VM
 * for shut off, and its QEMU runs on. See lib/decisions/a-vm-that-libvirt-lost.md.
 */
async function nameItsQemu(pool: CallPool, vmId: string, reads: Cold[]): Promise<Cold[]> {
  if (!reads.some(isLocked)) return reads;
  const owner = await pool.call("owner", { vmId }, { vmId }).catch(() => null);
  if (owner === null) return reads;
  return reads.map((read) => {
    if (read.ok || !isLocked(read)) return read;
    const words = `${read.error.hostMessage ?? ""}; process ${owner.pid} is a QEMU of this VM`;
    return { ok: false, error: observeError("image-locked", LOST_QEMU, words) };
  });
}
const LOST_QEMU = "A QEMU of this VM runs, and this libvirt says that the VM is shut off.";

/**
 * | before the read | read with           | after it, any layer | gives              |
 * |-----------------|---------------------|---------------------|--------------------|
 * | held            | –                   | –                   | image-locked       |
 * | free            | force-share         | free                | what was read      |
 * | free            | force-share         | held or unknown     | image-locked       |
 * | unknown         | QEMU's own lock     | –                   | what it says       |
 */
export async function readColdDisks(
  pool: CallPool,
  vmId: string,
  disks: readonly Pick<InspectedDisk, "source" | "format">[],
): Promise<Cold[]> {
  return await nameItsQemu(pool, vmId, await readUnnamed(pool, vmId, disks));
}

async function readUnnamed(
  pool: CallPool,
  vmId: string,
  disks: readonly Pick<InspectedDisk, "source" | "format">[],
): Promise<Cold[]> {
  const sources = disks.map((disk) => disk.source ?? "");
  const before = await pool.call("writers", { paths: sources }, { vmId });
  const reads = await Promise.all(
    disks.map(async ({ format }, i): Promise<{ read: Cold; isShared: boolean }> => {
      const path = sources[i] ?? "";
      if (before[i] === "held") return { read: locked(path), isShared: false };
      const isShared = before[i] === "free";
      return { read: await readImage(path, format, { forceShare: isShared }), isShared };
    }),
  );
  const paths = reads.flatMap(({ read, isShared }) =>
    isShared && read.ok ? read.value.layers.map((l) => l.path) : [],
  );
  if (paths.length === 0) return reads.map(({ read }) => read);
  const states = await pool.call("writers", { paths }, { vmId });
  const after = new Map(paths.map((path, i) => [path, states[i]]));
  return reads.map(({ read, isShared }) => {
    if (!isShared || !read.ok) return read;
    const held = read.value.layers.find((layer) => after.get(layer.path) !== "free");
    return held ? locked(held.path) : read;
  });
}
