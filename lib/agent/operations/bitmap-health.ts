/** Whether a domain's disks hold what a definition needs: one look at an inventory, a reason for each disk. */
import { type BitmapView, viewBitmaps } from "#chain/bitmaps.ts";
import type { DiskObservation, Observation, ObserveError, Read } from "#chain/model.ts";
import type { UNHEALTHY_STATES } from "#contract/agent-operations.ts";

export type UnhealthyState = (typeof UNHEALTHY_STATES)[number];
export type Reason = { disk: string; state: UnhealthyState };

/** The bitmaps of each attached disk by name, or why they could not be read. */
export type Inventory = Map<string, { disk: DiskObservation; bitmaps: Read<Map<string, BitmapView>> }>;

export function takeInventory({ disks }: Observation): Inventory {
  return new Map(
    disks.map((disk) => {
      const bitmaps: Read<Map<string, BitmapView>> = disk.layers.ok
        ? { ok: true, value: viewBitmaps(disk.target, disk.layers.value) }
        : disk.layers;
      return [disk.target, { disk, bitmaps }];
    }),
  );
}

const holdsBitmaps = (disk: DiskObservation): boolean => {
  const top = disk.layers.ok ? disk.layers.value[0] : undefined;
  return top === undefined || (top.format === "qcow2" && top.qcow2Compat !== "0.10");
};
const stateOfFailure = ({ code }: ObserveError): UnhealthyState =>
  code === "unreadable" ? "unreadable" : "cannot-tell";

/** A site that forbids QMP leaves the bitmaps of a running domain to libvirt's own validation. */
const isForbidden = (read: Read<unknown>): boolean => !read.ok && read.error.code === "qmp-forbidden";

/** Whether the inventory could not look at one of the checkpoint's bitmaps, so that libvirt must. */
export function needsValidation(inventory: Inventory, { disks }: { disks: { target: string }[] }): boolean {
  return disks.some(({ target }) => {
    const found = inventory.get(target);
    return found !== undefined && isForbidden(found.bitmaps);
  });
}

function stateOf(inventory: Inventory, target: string, name: string): UnhealthyState | null {
  const found = inventory.get(target);
  if (found === undefined) return "disk-gone";
  if (!found.bitmaps.ok) return isForbidden(found.bitmaps) ? null : stateOfFailure(found.bitmaps.error);
  const bitmap = found.bitmaps.value.get(name);
  if (bitmap === undefined) return holdsBitmaps(found.disk) ? "missing" : "unsupported";
  // Healthy; busy means that a job reads it.
  return bitmap.state === "recording" || bitmap.state === "busy" ? null : bitmap.state;
}

/** Every disk on which the checkpoint is known to have no healthy bitmap; empty when it can be tried. */
export function findReasons(
  inventory: Inventory,
  { id, disks }: { id: string; disks: { target: string }[] },
): Reason[] {
  return disks.flatMap(({ target }) => {
    const state = stateOf(inventory, target, id);
    return state === null ? [] : [{ disk: target, state }];
  });
}
