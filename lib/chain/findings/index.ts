/** Where record, libvirt and disks part. A pure function: the same input in any order gives the same answer. */
import { isHealthy } from "../bitmaps.ts";
import { type DriftInput, FINDING_KINDS, type Finding, type Remedy, SEVERITIES } from "../model.ts";
import { findBitmapDrift } from "./bitmaps.ts";
import { type DriftContext, driftContext } from "./context.ts";
import { findDiskDrift } from "./disks.ts";
import { DESTRUCTIVE } from "./kinds.ts";
import { findMetadataDrift } from "./metadata.ts";
import { findRecordDefects } from "./record.ts";
import { findRewound } from "./rewound.ts";
import { findUnknownBitmaps } from "./unknown-bitmaps.ts";
import { findVmDefects } from "./vm.ts";

export { type CarryInput, carryProofs } from "./carry.ts";
export { findingId } from "./id.ts";
export { DESTRUCTIVE } from "./kinds.ts";
export { guessOwner } from "./owner.ts";
export { findUndoneRewinds } from "./undone.ts";

/**
 * Every difference and defect that this observation proves, worst first, each with its evidence. What was not read is
 * never a finding, and what a job of ours is changing now is in flight. Linear in checkpoints × disks.
 */
export function findDrift(input: DriftInput): Finding[] {
  const ctx = driftContext(input);
  const acknowledged = new Set(input.record.acknowledged);
  return collect(ctx)
    .filter((finding) => !isInFlight(ctx, finding))
    .map((finding) => ({
      ...finding,
      evidence: { ...finding.evidence, metadata: finding.evidence.metadata ?? libvirtsWord(ctx, finding) },
      acknowledged: acknowledged.has(finding.id),
      remedies: remediesOf(ctx, finding),
    }))
    .sort(byWeight(ctx));
}

function collect(ctx: DriftContext): Finding[] {
  // The VM runs on another host: what this host's libvirt and image files say of it is no evidence.
  if (!ctx.live && ctx.input.activeElsewhere.some((other) => other.hostId !== ctx.input.hostId)) {
    return findRecordDefects(ctx);
  }
  return [
    ...findMetadataDrift(ctx),
    ...findBitmapDrift(ctx),
    ...findUnknownBitmaps(ctx),
    ...findRewound(ctx),
    ...findDiskDrift(ctx),
    ...findRecordDefects(ctx),
    ...findVmDefects(ctx),
  ];
}

/** What libvirt's list says of the checkpoint that a finding is about, also where the disk alone gave it away. */
function libvirtsWord(ctx: DriftContext, { subject }: Finding): string | null {
  if (subject.checkpointId === null || !ctx.host.ok) return null;
  const listed = ctx.host.value.get(subject.checkpointId);
  if (!listed) return "not in libvirt's list";
  const bitmap = listed.disks.find(({ target }) => target === subject.disk)?.bitmap;
  if (subject.disk === null || !listed.hasDisksElement) return "listed";
  return bitmap === undefined ? `listed, without ${subject.disk}` : `listed, with bitmap ${bitmap} on ${subject.disk}`;
}

function isInFlight(ctx: DriftContext, { kind, subject }: Finding): boolean {
  if (kind.startsWith("vm.") || kind.startsWith("backup.")) return false;
  if (kind.startsWith("record.")) {
    const repairs = ctx.input.inFlight.filter((job) => job.kind === "repair-record");
    return repairs.some((job) => job.checkpointIds.includes(subject.checkpointId ?? ""));
  }
  if (subject.checkpointId !== null) return ctx.inFlight.has(subject.checkpointId);
  if (subject.bitmap !== null && ctx.inFlight.has(subject.bitmap)) return true;
  const named = (job: DriftContext["input"]["inFlight"][number]) => job.disks.includes(subject.disk ?? "");
  if (kind === "disk.added") return ctx.input.inFlight.some(named);
  // A backup does not change what became of a disk; heal and prune do.
  if (kind === "disk.gone" || kind === "disk.replaced") {
    return ctx.input.inFlight.some((job) => job.kind !== "backup" && named(job));
  }
  return false;
}

/** Those of the kind that make a plan here. */
function remediesOf(ctx: DriftContext, finding: Finding): Remedy[] {
  // What is broken on one disk is defined by nobody as it is: a heal takes that disk from it and then defines it.
  const id = finding.subject.checkpointId ?? "";
  const heals = finding.remedies.includes("redefine") && isBrokenSomewhere(ctx, id);
  return finding.remedies
    .map((remedy) => (remedy === "redefine" && heals ? "heal" : remedy))
    .filter((remedy) => !actsOnUnread(ctx, finding, remedy))
    .filter((remedy) => remedy !== "redefine" || hasDiskHere(ctx, id));
}

/** A definition names disks that are attached and expected. Of one whose disks all went, those findings speak. */
function hasDiskHere(ctx: DriftContext, id: string): boolean {
  return (ctx.record.get(id)?.disks ?? []).some(({ target }) => ctx.disks.has(target) && !ctx.retired.has(target));
}

/** Its bitmap was read on a disk that it covers, and is no good there. */
function isBrokenSomewhere(ctx: DriftContext, id: string): boolean {
  return (ctx.record.get(id)?.disks ?? []).some(({ target }) => {
    const disk = ctx.disks.get(target);
    if (!disk?.seen || ctx.retired.has(target)) return false;
    const bitmap = disk.unsupported === null ? disk.seen.get(id) : undefined;
    return !bitmap || !isHealthy(bitmap);
  });
}

/** A remedy that takes away is not offered where it would act on something that this observation did not read. */
function actsOnUnread(ctx: DriftContext, finding: Finding, remedy: Remedy): boolean {
  if (!DESTRUCTIVE.has(remedy)) return false;
  if (!ctx.host.ok) return true;
  if (finding.subject.disk !== null) return ctx.disks.get(finding.subject.disk)?.layers.ok !== true;
  const id = finding.subject.checkpointId;
  if (id === null) return false;
  const listed = ctx.host.value.get(id);
  const everywhere = listed !== undefined && !listed.hasDisksElement;
  const covered = [...(ctx.record.get(id)?.disks ?? []), ...(listed?.disks ?? [])].map(({ target }) => target);
  const touched = everywhere ? [...ctx.disks.keys()] : covered;
  return touched.some((target) => ctx.disks.get(target)?.layers.ok === false);
}

function byWeight(ctx: DriftContext): (a: Finding, b: Finding) => number {
  const severity = new Map(SEVERITIES.map((item, index) => [item, index]));
  const kind = new Map(FINDING_KINDS.map((item, index) => [item, index]));
  const sequence = ({ subject }: Finding) =>
    ctx.record.get(subject.checkpointId ?? "")?.sequence ?? Number.MAX_SAFE_INTEGER;
  return (a, b) =>
    (severity.get(a.severity) ?? 0) - (severity.get(b.severity) ?? 0) ||
    (kind.get(a.kind) ?? 0) - (kind.get(b.kind) ?? 0) ||
    sequence(a) - sequence(b) ||
    compare(a.subject.disk ?? "", b.subject.disk ?? "") ||
    compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
