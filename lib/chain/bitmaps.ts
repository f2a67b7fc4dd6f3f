/** One bitmap over the layers of its disk's backing chain, as the matrix and the verdict see it. */
import type { BitmapState, DiskBitmap, DiskLayer, DiskObservation, LayerBitmap, Read } from "./model.ts";

export type BitmapInLayer = { layer: DiskLayer; bitmap: LayerBitmap };

/** A bitmap with every layer that holds it, uppermost first. */
export type BitmapView = DiskBitmap & { held: BitmapInLayer[] };

/**
 * QEMU's and libvirt's own helpers: nameless ones (listed while a backup runs), `backup-<target>` and `libvirt-tmp-*`
 * of a running job. They belong to a process, not to a chain.
 */
export function isInternalBitmap(target: string, bitmap: { name: string; persistent: boolean }): boolean {
  if (bitmap.name === "") return true;
  if (bitmap.persistent) return false;
  return bitmap.name === `backup-${target}` || bitmap.name.startsWith("libvirt-tmp-");
}

/** Healthy: it holds every write since its checkpoint and will survive a clean stop. Busy means that a job reads it. */
export function isHealthy(bitmap: { state: BitmapState }): boolean {
  return bitmap.state === "recording" || bitmap.state === "busy";
}

/** Every named bitmap of a disk with its one state. A failed read stays failed. */
export function summariseBitmaps(disk: DiskObservation): Read<DiskBitmap[]> {
  if (!disk.layers.ok) return disk.layers;
  const value = [...viewBitmaps(disk.target, disk.layers.value).values()].map(({ held: _, ...bitmap }) => bitmap);
  return { ok: true, value };
}

/** As `summariseBitmaps`, with the layers, by name in name order. */
export function viewBitmaps(target: string, layers: readonly DiskLayer[]): Map<string, BitmapView> {
  const held = new Map<string, BitmapInLayer[]>();
  const topDown = [...layers].sort((a, b) => a.depth - b.depth);
  for (const layer of topDown) {
    for (const bitmap of layer.bitmaps) {
      if (isInternalBitmap(target, bitmap)) continue;
      const list = held.get(bitmap.name);
      if (list) list.push({ layer, bitmap });
      else held.set(bitmap.name, [{ layer, bitmap }]);
    }
  }
  const rank = new Map(topDown.map((layer, index) => [layer, index]));
  const names = [...held.keys()].sort();
  return new Map(names.map((name) => [name, viewOf(name, held.get(name) ?? [], rank)]));
}

function viewOf(name: string, held: BitmapInLayer[], rank: ReadonlyMap<DiskLayer, number>): BitmapView {
  const top = held[0];
  const counts = held.map(({ bitmap }) => bitmap.dirtyBytes).filter((count) => count !== null);
  return {
    name,
    state: stateOf(held, rank),
    dirtyBytes: counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0),
    granularity: top?.bitmap.granularity ?? 0,
    layer: top?.layer.path ?? "",
    held,
  };
}

/**
 * Flags interact; the first row that holds in any layer names the state.
 *
 * | flag                                   | state           | why in this place                                     |
 * |----------------------------------------|-----------------|-------------------------------------------------------|
 * | inconsistent (cold: in-use)            | inconsistent    | QEMU reports it as not recording too                  |
 * | a layer above one that has it, lacks it| gap             | writes went to the layer that lacks it                |
 * | not persistent                         | not-persistent  | also true while it is busy                            |
 * | busy                                   | busy            | a job holds it; "recording" says nothing meanwhile    |
 * | not recording (cold: no auto)          | not-recording   |                                                       |
 */
function stateOf(held: BitmapInLayer[], rank: ReadonlyMap<DiskLayer, number>): BitmapState {
  if (held.some(({ bitmap }) => bitmap.inconsistent)) return "inconsistent";
  if (held.some(({ layer }, index) => rank.get(layer) !== index)) return "gap";
  if (held.some(({ bitmap }) => !bitmap.persistent)) return "not-persistent";
  if (held.some(({ bitmap }) => bitmap.busy)) return "busy";
  if (held.some(({ bitmap }) => !bitmap.recording)) return "not-recording";
  return "recording";
}
