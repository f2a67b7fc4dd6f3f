/** The disks themselves: came, went, swapped, unable, unreadable. */
import type { Finding, ImageIdentity } from "../model.ts";
import { newestOf } from "../tree.ts";
import { formatBytes } from "../words/bytes.ts";
import type { DiskContext, DriftContext } from "./context.ts";
import { makeFinding } from "./make.ts";

export function findDiskDrift(ctx: DriftContext): Finding[] {
  const findings: Finding[] = [];
  for (const [target, disk] of ctx.disks) {
    if (!disk.layers.ok && disk.layers.error.code === "unreadable") {
      const said = disk.layers.error.hostMessage ?? disk.layers.error.message;
      const evidence = { bitmap: `the image cannot be opened: ${said}` };
      findings.push(makeFinding({ kind: "disk.unreadable", disk: target, evidence }));
    } else if (disk.unsupported !== null) {
      const evidence = { bitmap: unsupportedWords(disk.unsupported) };
      findings.push(makeFinding({ kind: "disk.unsupported", disk: target, reason: disk.unsupported, evidence }));
    } else if (disk.replaced) {
      findings.push(replaced(target, disk, disk.replaced));
    }
  }
  return [...findings, ...added(ctx), ...gone(ctx)];
}

function unsupportedWords(reason: string): string {
  return reason === "compat-0.10" ? "qcow2 with compat 0.10" : `format ${reason}`;
}

function replaced(target: string, disk: DiskContext, change: NonNullable<DiskContext["replaced"]>): Finding {
  return makeFinding({
    kind: "disk.replaced",
    disk: target,
    reason: change.reason,
    evidence: {
      record: `last proven image: ${identityWords(change.was, change.sameHost)}`,
      bitmap: `now: ${identityWords(change.is, change.sameHost)}`,
    },
    // Healing acts on bitmaps; here they were not read.
    remedies: disk.layers.ok ? undefined : ["acknowledge", "full-backup"],
  });
}

function identityWords(identity: ImageIdentity, withDevice: boolean): string {
  const parts = [identity.path];
  if (identity.inode !== null) parts.push(`inode ${identity.inode}`);
  if (withDevice && identity.device !== null) parts.push(`device ${identity.device}`);
  if (identity.size !== null) parts.push(`virtual size ${formatBytes(identity.size)}`);
  return parts.join(", ");
}

/**
 * Attached after the newest checkpoint was made, so that none could cover it. Of a disk that was there when the VM was
 * first seen nobody knows since when, however old the checkpoints are that were recorded afterwards.
 */
function added(ctx: DriftContext): Finding[] {
  if (ctx.absent) return [];
  const active = ctx.order.ordered.filter((item) => item.state === "active");
  const newest = newestOf(active);
  if (!newest) return [];
  const covered = new Set(active.flatMap((item) => item.disks.map(({ target }) => target)));
  const firstSight = Math.min(...ctx.input.record.disks.map((disk) => Date.parse(disk.firstSeenAt)));
  const findings: Finding[] = [];
  for (const [target, disk] of ctx.disks) {
    const { recorded } = disk;
    if (recorded && !recorded.retiredAt && Date.parse(recorded.firstSeenAt) <= firstSight) continue;
    if (covered.has(target) || disk.unsupported !== null || !disk.layers.ok) continue;
    // A disk that the record does not know yet is seen now for the first time; a retired one came back after that.
    const since = recorded?.retiredAt ?? recorded?.firstSeenAt ?? ctx.input.observation.observedAt;
    if (!(Date.parse(since) > Date.parse(newest.createdAt))) continue;
    const evidence = {
      record: `newest checkpoint "${newest.id}" of ${newest.createdAt} does not cover it; disk first seen ${since}`,
      bitmap: `attached: ${disk.observed.source ?? "no source"}`,
    };
    findings.push(makeFinding({ kind: "disk.added", disk: target, evidence }));
  }
  return findings;
}

function gone(ctx: DriftContext): Finding[] {
  if (ctx.absent) return [];
  const covering = new Map<string, number>();
  for (const item of ctx.order.ordered) {
    if (item.state !== "active") continue;
    for (const { target } of item.disks) covering.set(target, (covering.get(target) ?? 0) + 1);
  }
  return [...covering]
    .filter(([target]) => !ctx.disks.has(target) && !ctx.retired.has(target))
    .map(([target, count]) => {
      const covers = count === 1 ? "1 checkpoint covers it" : `${count} checkpoints cover it`;
      const evidence = { record: covers, metadata: "the VM has no writable disk of this target" };
      return makeFinding({ kind: "disk.gone", disk: target, evidence });
    });
}
