/** Record against the bitmaps themselves. Nothing is said of a disk that was not read or that is another image. */
import type { BitmapView } from "../bitmaps.ts";
import type { Finding, FindingKind, RecordCheckpoint } from "../model.ts";
import { formatBytes } from "../words/bytes.ts";
import type { DiskContext, DriftContext } from "./context.ts";
import { makeFinding } from "./make.ts";
import { OF_ANOTHER_GRANULARITY } from "./remade.ts";

const BROKEN: Partial<Record<BitmapView["state"], FindingKind>> = {
  inconsistent: "bitmap.inconsistent",
  gap: "bitmap.gap",
  "not-recording": "bitmap.not-recording",
  "not-persistent": "bitmap.not-persistent",
};

/** At most one of these per checkpoint and disk: the first thing that is wrong with its bitmap. */
export function findBitmapDrift(ctx: DriftContext): Finding[] {
  const findings: Finding[] = [];
  const crash = crashEvidence(ctx);
  for (const item of ctx.settled) {
    for (const { target, granularity } of item.disks) {
      const disk = ctx.disks.get(target);
      if (!disk?.bitmaps || ctx.retired.has(target)) continue;
      const bitmap = disk.bitmaps.get(item.id);
      if (!bitmap) findings.push(missing(ctx, item, target, crash));
      else findings.push(...broken(ctx, item, disk, bitmap, granularity));
    }
  }
  return findings;
}

function broken(
  ctx: DriftContext,
  item: RecordCheckpoint,
  disk: DiskContext,
  bitmap: BitmapView,
  granularity: number | null,
): Finding[] {
  const subject = { checkpointId: item.id, disk: disk.observed.target, bitmap: bitmap.name };
  const record = recordWords(item);
  const kind = BROKEN[bitmap.state];
  if (kind) {
    const reason = kind === "bitmap.inconsistent" ? (ctx.live ? "inconsistent" : "in-use") : null;
    return [makeFinding({ kind, ...subject, reason, evidence: { record, bitmap: stateWords(ctx, disk, bitmap) } })];
  }
  const seen = [...new Set(bitmap.held.map((held) => held.bitmap.granularity))];
  const isRemade = granularity !== null && seen.some((value) => value !== granularity);
  if (!isRemade && seen.length === 1) return [];
  const evidence = {
    record: granularity === null ? record : `granularity ${formatBytes(granularity)}`,
    bitmap: `granularity ${bitmap.held.map((held) => `${formatBytes(held.bitmap.granularity)} in ${held.layer.path}`).join(", ")}`,
  };
  const base = { kind: "bitmap.granularity-differs" as const, ...subject, evidence };
  if (!isRemade) return [makeFinding({ ...base, reason: "between-layers" })];
  return [makeFinding({ ...base, reason: OF_ANOTHER_GRANULARITY, severity: "loss", remedies: ["heal"] })];
}

function stateWords(ctx: DriftContext, disk: DiskContext, bitmap: BitmapView): string {
  const where = bitmap.held.map((held) => held.layer.path).join(", ");
  switch (bitmap.state) {
    case "inconsistent":
      return ctx.live ? `inconsistent in ${where}` : `still marked in-use in ${where} while no process has it open`;
    case "gap": {
      const has = new Set(bitmap.held.map((held) => held.layer));
      const deepest = bitmap.held.at(-1)?.layer.depth ?? 0;
      const lacking = disk.layers.ok
        ? disk.layers.value.filter((layer) => layer.depth < deepest && !has.has(layer))
        : [];
      return `present in ${where}, missing in ${lacking.map((layer) => layer.path).join(", ")} above it`;
    }
    case "not-persistent":
      return `present in ${where}, not persistent`;
    default:
      return `present in ${where}, ${bitmap.state.replace("-", " ")}`;
  }
}

function recordWords(item: RecordCheckpoint): string {
  return `recorded ${item.createdAt} as a base for this disk`;
}

type Crash = { newestBroken: ReadonlyMap<string, number>; newestAnywhere: number; siblings: Map<string, Sibling[]> };
type Sibling = { sequence: number; inconsistent: boolean };

/** QEMU that was killed leaves the bitmaps of its last clean open inconsistent, and those made since are nowhere. */
function crashEvidence(ctx: DriftContext): Crash {
  const newestBroken = new Map<string, number>();
  const siblings = new Map<string, Sibling[]>();
  let newestAnywhere = Number.NEGATIVE_INFINITY;
  for (const item of ctx.settled) {
    for (const { target } of item.disks) {
      const bitmap = ctx.disks.get(target)?.bitmaps?.get(item.id);
      if (!bitmap) continue;
      const inconsistent = bitmap.state === "inconsistent";
      if (inconsistent) {
        newestBroken.set(target, Math.max(newestBroken.get(target) ?? Number.NEGATIVE_INFINITY, item.sequence));
        newestAnywhere = Math.max(newestAnywhere, item.sequence);
      }
      const list = siblings.get(target);
      if (list) list.push({ sequence: item.sequence, inconsistent });
      else siblings.set(target, [{ sequence: item.sequence, inconsistent }]);
    }
  }
  return { newestBroken, newestAnywhere, siblings };
}

function missing(ctx: DriftContext, item: RecordCheckpoint, target: string, crash: Crash): Finding {
  const here = crash.newestBroken.get(target);
  // Without any older bitmap on this disk to ask, another disk of the same process may have seen it die.
  const oldest = crash.siblings.get(target)?.[0]?.sequence;
  const alone = oldest === undefined || oldest > item.sequence;
  const newest = here ?? (alone ? crash.newestAnywhere : Number.NEGATIVE_INFINITY);
  const neverFlushed = newest > Number.NEGATIVE_INFINITY && newest < item.sequence;
  const disk = ctx.disks.get(target);
  const images = disk?.layers.ok ? disk.layers.value.map((layer) => layer.path).join(", ") : "";
  const more = neverFlushed ? "; the bitmaps made before it were left open by a process that died" : "";
  return makeFinding({
    kind: "bitmap.missing",
    checkpointId: item.id,
    disk: target,
    bitmap: item.id,
    reason: neverFlushed ? "never-flushed" : "removed",
    evidence: { record: recordWords(item), bitmap: `no bitmap of this name in ${images}${more}` },
  });
}
