/** Record against libvirt's list. Nothing is said when that list was not read or the host does not know the VM. */
import { isHealthy } from "../bitmaps.ts";
import type { Finding, HostCheckpoint, RecordCheckpoint } from "../model.ts";
import { orderCheckpoints } from "../order.ts";
import type { TreeItem } from "../tree.ts";
import type { DriftContext } from "./context.ts";
import { makeFinding } from "./make.ts";
import { guessOwner } from "./owner.ts";

export function findMetadataDrift(ctx: DriftContext): Finding[] {
  if (!ctx.host.ok) return [];
  const host = ctx.host.value;
  const parentDiffers = parentComparison(ctx, host);
  const findings: Finding[] = [];
  for (const item of ctx.settled) {
    const listed = host.get(item.id);
    if (!listed) findings.push(...missing(ctx, item));
    else findings.push(...disksDiffer(ctx, item, listed), ...bitmapNames(ctx, listed), ...parentDiffers(item, listed));
  }
  for (const listed of host.values()) {
    if (!ctx.record.has(listed.id)) findings.push(unknown(listed));
  }
  return findings;
}

/** Only where redefining would work on at least one disk; else the bitmap's or the disk's own finding speaks. */
function missing(ctx: DriftContext, item: RecordCheckpoint): Finding[] {
  const usable = item.disks.filter(({ target }) => {
    const disk = ctx.disks.get(target);
    if (!disk || ctx.retired.has(target)) return false;
    if (!disk.layers.ok) {
      return disk.layers.error.code === "qmp-forbidden" && disk.unsupported === null && disk.replaced === null;
    }
    const bitmap = disk.bitmaps?.get(item.id);
    return bitmap !== undefined && isHealthy(bitmap);
  });
  if (usable.length === 0) return [];
  const targets = usable.map(({ target }) => target).join(", ");
  const read = usable.some(({ target }) => ctx.disks.get(target)?.layers.ok);
  const evidence = {
    record: `recorded ${item.createdAt} for ${listOf(item.disks)}`,
    metadata: "no checkpoint of this name",
    bitmap: read ? `healthy on ${targets}` : "not read: this host forbids QMP",
  };
  return [makeFinding({ kind: "metadata.missing", checkpointId: item.id, evidence })];
}

function unknown(listed: HostCheckpoint): Finding {
  const disks = listed.hasDisksElement ? `for ${listOf(listed.disks)}` : "without any disks element";
  const metadata = `listed, made ${listed.createdAt}, ${disks}`;
  const owner = guessOwner(listed.id);
  const evidence = { record: "no checkpoint of this name", metadata };
  return makeFinding({ kind: "metadata.unknown", checkpointId: listed.id, owner, evidence });
}

/** Disks that are gone or retired are left out on both sides: disk.gone says that. */
function disksDiffer(ctx: DriftContext, item: RecordCheckpoint, listed: HostCheckpoint): Finding[] {
  const expected = item.disks.map(({ target }) => target);
  const recordWords = `covers ${listOf(item.disks)}`;
  if (!listed.hasDisksElement) {
    const evidence = { record: recordWords, metadata: "the definition has no disks element" };
    return [makeFinding({ kind: "metadata.disks-differ", checkpointId: item.id, reason: "diskless", evidence })];
  }
  const counts = (target: string) => ctx.disks.has(target) && !ctx.retired.has(target);
  const left = new Set(expected.filter(counts));
  const right = new Set(listed.disks.map(({ target }) => target).filter(counts));
  if (left.size === right.size && [...left].every((target) => right.has(target))) return [];
  const reason = [...left].some((target) => !right.has(target)) ? "lacks-disks" : "extra-disks";
  const evidence = { record: recordWords, metadata: `covers ${listOf(listed.disks)}` };
  return [makeFinding({ kind: "metadata.disks-differ", checkpointId: item.id, reason, evidence })];
}

function bitmapNames(ctx: DriftContext, listed: HostCheckpoint): Finding[] {
  return listed.disks
    .filter(({ target, bitmap }) => bitmap !== listed.id && ctx.disks.has(target) && !ctx.retired.has(target))
    .map(({ target, bitmap }) =>
      makeFinding({
        kind: "metadata.bitmap-name-differs",
        checkpointId: listed.id,
        disk: target,
        bitmap,
        evidence: { record: `bitmap "${listed.id}" on ${target}`, metadata: `bitmap "${bitmap}" on ${target}` },
      }),
    );
}

/**
 * A checkpoint that only one side has moves its children up to its parent on the other side. That is no difference of
 * the children, so each side's nearest ancestor that both know is compared.
 */
function parentComparison(ctx: DriftContext, host: ReadonlyMap<string, HostCheckpoint>) {
  const broken = new Set<string>();
  if (!ctx.order.ok) {
    for (const offence of ctx.order.offences) {
      if (offence.kind === "cycle") for (const id of offence.ids) broken.add(id);
      if (offence.kind === "missing-parent") broken.add(offence.id);
    }
  }
  const inRecord = sharedAncestors(ctx.order.ordered, host);
  const onHost = sharedAncestors(orderCheckpoints([...host.values()]).ordered, ctx.record);
  return (item: RecordCheckpoint, listed: HostCheckpoint): Finding[] => {
    if (item.parentId === listed.parentId || broken.has(item.id)) return [];
    if (inRecord.get(item.id) === onHost.get(item.id)) return [];
    const evidence = { record: parentWords(item.parentId), metadata: parentWords(listed.parentId) };
    return [makeFinding({ kind: "metadata.parent-differs", checkpointId: item.id, evidence })];
  };
}

/** For each item, parents first: its nearest ancestor that `other` knows too, or null. */
export function sharedAncestors(
  ordered: readonly TreeItem[],
  other: { has(id: string): boolean },
): Map<string, string | null> {
  const shared = new Map<string, string | null>();
  for (const { id, parentId } of ordered) {
    if (parentId === null) shared.set(id, null);
    else shared.set(id, other.has(parentId) ? parentId : (shared.get(parentId) ?? null));
  }
  return shared;
}

function parentWords(parentId: string | null): string {
  return parentId === null ? "no parent" : `parent "${parentId}"`;
}

function listOf(disks: readonly { target: string }[]): string {
  return disks.length === 0 ? "no disk" : disks.map(({ target }) => target).join(", ");
}
