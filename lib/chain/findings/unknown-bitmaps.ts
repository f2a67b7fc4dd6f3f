/** Bitmaps that nobody claims. Claims are per disk: a leftover on a disk that its checkpoint does not cover is found. */
import type { Finding } from "../model.ts";
import { formatBytes } from "../words/bytes.ts";
import type { DriftContext } from "./context.ts";
import { makeFinding } from "./make.ts";
import { guessOwner } from "./owner.ts";

/** Says nothing while libvirt's list is unknown: libvirt might own every one of them. */
export function findUnknownBitmaps(ctx: DriftContext): Finding[] {
  if (!ctx.host.ok) return [];
  const owned = ownedNames(ctx);
  const findings: Finding[] = [];
  for (const [target, disk] of ctx.disks) {
    for (const bitmap of disk.bitmaps?.values() ?? []) {
      if (owned(target, bitmap.name)) continue;
      const size = bitmap.dirtyBytes === null ? "" : `, ${formatBytes(bitmap.dirtyBytes)} dirty`;
      findings.push(
        makeFinding({
          kind: "bitmap.unknown",
          disk: target,
          bitmap: bitmap.name,
          owner: guessOwner(bitmap.name),
          evidence: {
            record: "no checkpoint of this name covers this disk",
            metadata: "no checkpoint uses this bitmap",
            bitmap: `${bitmap.state.replace("-", " ")} in ${bitmap.layer}${size}`,
          },
        }),
      );
    }
  }
  return findings;
}

function ownedNames(ctx: DriftContext): (target: string, name: string) => boolean {
  const onDisk = new Set<string>();
  const covered = new Set<string>();
  const claim = (target: string, name: string) => onDisk.add(`${target}\n${name}`);
  const anywhere = new Set(ctx.inFlight);
  for (const item of ctx.record.values()) {
    // Half-made and half-deleted ones may be on any disk; so may those of a backup that runs.
    if (item.state !== "active") anywhere.add(item.id);
    for (const { target } of item.disks) {
      claim(target, item.id);
      covered.add(target);
    }
  }
  if (ctx.host.ok) {
    for (const listed of ctx.host.value.values()) {
      // Without a disks element libvirt means every writable disk.
      if (!listed.hasDisksElement) anywhere.add(listed.id);
      for (const { target, bitmap } of listed.disks) {
        claim(target, bitmap);
        claim(target, listed.id);
      }
    }
  }
  // The image of a disk that went may be back under a new target with its bitmaps: disk.gone and disk.added say that.
  const wandering = [...covered].some((target) => !ctx.disks.has(target) && !ctx.retired.has(target));
  return (target, name) =>
    anywhere.has(name) ||
    onDisk.has(`${target}\n${name}`) ||
    (wandering && !covered.has(target) && ctx.record.has(name));
}
