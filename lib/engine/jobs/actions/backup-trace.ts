import type { Observation, ObserveError } from "#chain/model.ts";
import { readCheckpoints, readLayers } from "#chain/trust.ts";

/** What a host shows of the checkpoint that a backup makes. */
export type Trace = {
  isListed: boolean;
  /** Disks that hold its bitmap. */
  disks: string[];
  /** Why more of it may be there than is shown; null: that is all. */
  unread: ObserveError | null;
};

/**
 * `covered`: the disks that it is to have a bitmap on. One of them that is not attached now shows nothing; that has a
 * finding of its own. Where a site forbids to ask QEMU, libvirt's list alone says whether the backup made anything.
 */
export function findTrace(seen: Observation, id: string, covered: readonly string[]): Trace {
  const listed = readCheckpoints(seen);
  const trace: Trace = {
    isListed: listed.ok && listed.value.some((item) => item.id === id),
    disks: [],
    unread: listed.ok ? null : listed.error,
  };
  for (const disk of seen.disks) {
    const layers = readLayers(seen, disk);
    if (layers.ok) {
      if (layers.value.some((layer) => layer.bitmaps.some(({ name }) => name === id))) trace.disks.push(disk.target);
    } else if (covered.includes(disk.target) && layers.error.code !== "qmp-forbidden") {
      // One that may pass by itself is worth waiting for, whatever the others say.
      if (!trace.unread?.retryable) trace.unread = layers.error;
    }
  }
  return trace;
}
