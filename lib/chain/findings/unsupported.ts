import type { DiskLayer, DiskObservation, Read } from "../model.ts";

/** Why a disk cannot hold persistent bitmaps (`raw`, `compat-0.10`, another format), or null when it can or nobody knows. */
export function unsupportedReason(disk: DiskObservation, layers: Read<DiskLayer[]>): string | null {
  if (!layers.ok && layers.error.code === "unreadable") return null;
  const top = layers.ok ? layers.value.find((layer) => layer.depth === 0) : undefined;
  const format = top?.format ?? disk.format;
  if (format !== "qcow2") return format === "" ? null : format;
  return top?.qcow2Compat === "0.10" ? "compat-0.10" : null;
}
