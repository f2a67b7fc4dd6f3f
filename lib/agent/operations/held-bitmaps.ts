/** Where a bitmap lies, for those who want it gone. */
import type { DiskObservation, Observation } from "#chain/model.ts";
import type { HostError } from "#contract/agent-operations.ts";
import { hostError } from "../host-error.ts";
import type { ImageBitmap } from "./host-steps.ts";

export type Held =
  | { ok: false; error: HostError }
  /**
   * Every layer that holds it, the uppermost first; empty when none does. libvirt's deletion takes it from each of them,
   * also where the active layer has none (measured on 9.0.0).
   */
  | { ok: true; images: ImageBitmap[] };

/** @param target of an attached disk; one that is not attached holds nothing */
export function findHeld({ disks }: Observation, target: string, bitmap: string): Held {
  const layers = disks.find((disk) => disk.target === target)?.layers;
  if (layers === undefined) return { ok: true, images: [] };
  if (!layers.ok) return { ok: false, error: { ...layers.error, libvirtCode: null, libvirtDomain: null } };
  const holding = layers.value.filter((layer) => layer.bitmaps.some(({ name }) => name === bitmap));
  if (holding.some((layer) => layer.bitmaps.some(({ name, busy }) => name === bitmap && busy))) {
    const error = hostError("lock-held", `A job uses the bitmap on ${target}.`);
    return { ok: false, error: { ...error, retryable: true } };
  }
  return { ok: true, images: holding.map(({ path, format }) => ({ path, format, bitmap })) };
}

/**
 * Of a disk that was not read: whether no bitmap can be in it all the same. Its format has none, or nobody can open its
 * image for good. A lock, a limit of time, a right that is lacking, a host that does not let QEMU be asked: none of them
 * says that nothing is there.
 */
export function canHoldNone({ format, layers }: DiskObservation): boolean {
  if (layers.ok) return false;
  if (format !== "qcow2") return true;
  return layers.error.code === "unsupported-source" || layers.error.code === "unreadable";
}
