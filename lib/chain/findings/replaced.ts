/** Is the image behind a target still the one that the bitmaps of the record were made in? */
import type { DiskLayer, DiskObservation, DriftInput, ImageIdentity, Read, RecordDisk } from "../model.ts";
import { findingId } from "./id.ts";

export type Replacement = {
  /** The first field that differs: path, inode, device, size. */
  reason: "path" | "inode" | "device" | "size";
  was: ImageIdentity;
  is: ImageIdentity;
  sameHost: boolean;
  acknowledged: boolean;
};

/**
 * Compares what can be compared. Not a replacement:
 * - a block job that moves the disk, or a migration, seen to end well while the VM ran, explains the move (`provenMoves`);
 * - the recorded image lies deeper in the backing chain: a snapshot was taken, and bitmap.gap speaks if need be;
 * - the virtual size changed and the inode proves the same file: a resize. Without an inode only growth is taken for one.
 * A disk whose bitmaps could not be read is left alone, except where a site forbids QMP and the file itself was swapped.
 */
export function replacementOf(
  input: DriftInput,
  disk: DiskObservation,
  recorded: RecordDisk | null,
  layers: Read<DiskLayer[]>,
): Replacement | null {
  const was = recorded?.identity ?? null;
  const is = disk.identity;
  if (!was || !is || recorded?.retiredAt || input.provenMoves.includes(disk.target)) return null;
  const sameHost = recorded?.identityHostId === input.hostId;
  const reason = differingField(was, is, sameHost);
  if (!reason) return null;
  if (!layers.ok && !(layers.error.code === "qmp-forbidden" && was.path === is.path)) return null;
  if (layers.ok && layers.value.some((layer) => layer.depth > 0 && layer.path === was.path)) return null;
  const acknowledged = input.record.acknowledged.includes(findingId("disk.replaced", null, disk.target, null));
  return { reason, was, is, sameHost, acknowledged };
}

/** The first field that tells two images apart, as far as both sides know it; null: nothing does. */
export function differingField(was: ImageIdentity, is: ImageIdentity, sameHost: boolean): Replacement["reason"] | null {
  if (was.path !== is.path) return "path";
  if (differs(was.inode, is.inode)) return "inode";
  if (sameHost && differs(was.device, is.device)) return "device";
  if (was.size === null || is.size === null || was.size === is.size) return null;
  const sameFile = was.inode !== null && is.inode !== null;
  return sameFile || is.size > was.size ? null : "size";
}

/** What one side does not know is not a difference. */
function differs(was: string | null, is: string | null): boolean {
  return was !== null && is !== null && was !== is;
}
