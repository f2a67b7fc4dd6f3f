/** An older image put back: libvirt validates it happily, only the counts give it away. */
import type { Finding } from "../model.ts";
import { coveringByDisk } from "../tree.ts";
import { formatBytes } from "../words/bytes.ts";
import type { DriftContext } from "./context.ts";
import { makeFinding } from "./make.ts";

/** A count in one layer: the unit of comparison. */
type Counted = { layerPath: string; granularity: number; dirtyBytes: number };

export function findRewound(ctx: DriftContext): Finding[] {
  const findings: Finding[] = [];
  const highest = highestSamples(ctx);
  const covering = coveringByDisk(ctx.settled);
  for (const [target, disk] of ctx.disks) {
    if (!disk.bitmaps || ctx.retired.has(target)) continue;
    const counted = new Map<string, Counted[]>();
    for (const item of covering.get(target) ?? []) {
      const bitmap = disk.bitmaps.get(item.id);
      // Of a busy one a job may hold the count still while later bitmaps go on counting.
      if (bitmap?.state !== "recording") continue;
      const counts = bitmap.held.flatMap(({ layer, bitmap: held }) =>
        held.dirtyBytes === null
          ? []
          : [{ layerPath: layer.path, granularity: held.granularity, dirtyBytes: held.dirtyBytes }],
      );
      if (counts.length > 0) counted.set(item.id, counts);
    }
    if (counted.size === 0) continue;
    const below = belowDescendants(ctx, counted);
    for (const [id, counts] of counted) {
      const fell = counts.find((count) => (highest.get(key(target, id, count))?.dirtyBytes ?? 0) > count.dirtyBytes);
      const under = below.get(id);
      if (!fell && !under) continue;
      const sample = fell && highest.get(key(target, id, fell));
      const now = `${formatBytes(fell?.dirtyBytes ?? under?.count.dirtyBytes ?? 0)} dirty`;
      const bitmap =
        fell && sample
          ? `${now} in ${fell.layerPath}, was ${formatBytes(sample.dirtyBytes)} at ${sample.at}`
          : `${now} in ${under?.count.layerPath}, less than the ${formatBytes(under?.more ?? 0)} of a later checkpoint`;
      findings.push(
        makeFinding({
          kind: "bitmap.rewound",
          checkpointId: id,
          disk: target,
          bitmap: id,
          reason: fell ? "count-fell" : "below-descendant",
          evidence: { record: "a count of dirty bytes never falls while its checkpoint stands", bitmap },
        }),
      );
    }
  }
  return findings;
}

function key(target: string, bitmap: string, { layerPath, granularity }: Omit<Counted, "dirtyBytes">): string {
  return `${target}\n${bitmap}\n${granularity}\n${layerPath}`;
}

function highestSamples(ctx: DriftContext): Map<string, { dirtyBytes: number; at: string }> {
  const highest = new Map<string, { dirtyBytes: number; at: string }>();
  for (const sample of ctx.input.samples) {
    const at = key(sample.target, sample.bitmap, sample);
    const known = highest.get(at);
    if (!known || known.dirtyBytes < sample.dirtyBytes) highest.set(at, sample);
  }
  return highest;
}

type Below = { count: Counted; more: number };

/**
 * An ancestor records all that its descendants record, and more. Children first, every subtree hands up its highest
 * count per layer and granularity; the larger map is kept and the smaller poured in, so a deep chain stays linear.
 */
function belowDescendants(ctx: DriftContext, counted: ReadonlyMap<string, Counted[]>): Map<string, Below> {
  const below = new Map<string, Below>();
  const highestUnder = new Map<string, Map<string, number>>();
  for (let index = ctx.order.ordered.length - 1; index >= 0; index--) {
    const item = ctx.order.ordered[index];
    if (!item) continue;
    const under = highestUnder.get(item.id) ?? new Map<string, number>();
    highestUnder.delete(item.id);
    for (const count of counted.get(item.id) ?? []) {
      const place = `${count.granularity}\n${count.layerPath}`;
      const more = under.get(place);
      if (more !== undefined && more > count.dirtyBytes) below.set(item.id, { count, more });
      else under.set(place, count.dirtyBytes);
    }
    if (item.parentId === null || under.size === 0) continue;
    const beside = highestUnder.get(item.parentId);
    highestUnder.set(item.parentId, beside ? pour(beside, under) : under);
  }
  return below;
}

function pour(a: Map<string, number>, b: Map<string, number>): Map<string, number> {
  const [large, small] = a.size >= b.size ? [a, b] : [b, a];
  for (const [place, count] of small) large.set(place, Math.max(large.get(place) ?? 0, count));
  return large;
}
