/** The images of a domain that does not run, read without a lock that could stop its next start. */
import type { Read } from "#chain/model.ts";
import { observeError } from "../failure.ts";
import { readImage } from "../qemu/images.ts";
import type { LiveDisk } from "../qemu/nodes.ts";
import type { CallPool } from "./call-pool.ts";
import type { InspectedDisk } from "./ipc.ts";

const locked = (path: string): Read<LiveDisk> => ({
  ok: false,
  error: observeError(
    "image-locked",
    "Another process has this image open for writing.",
    `QEMU's lock on ${path} is held`,
  ),
});

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
): Promise<Read<LiveDisk>[]> {
  const sources = disks.map((disk) => disk.source ?? "");
  const before = await pool.call("writers", { paths: sources }, { vmId });
  const reads = await Promise.all(
    disks.map(async ({ format }, i): Promise<{ read: Read<LiveDisk>; isShared: boolean }> => {
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
