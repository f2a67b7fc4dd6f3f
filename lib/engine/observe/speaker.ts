/** The same UUID may be known to several hosts. One of them speaks for the VM. */
import type { Power } from "#chain/model.ts";

export type HostView = {
  hostId: string;
  hostName: string;
  hostOffline: boolean;
  power: Power;
  observedAt: string | null;
  /** Since when this host shows the VM as running or paused without a break; null: it does not. */
  activeSince: string | null;
};

/** It runs there, paused or not. */
export const isActive = (view: HostView): boolean => view.power === "running" || view.power === "paused";

/**
 * | what the host says        | reachable | offline |
 * |---------------------------|-----------|---------|
 * | running or paused         | 4         | 3       |
 * | shut off, or cannot tell  | 2         | 1       |
 * | does not know it          | 0         | 0       |
 * An offline host that showed it running still outweighs one that has it shut off: it may run there now.
 */
function weightOf(view: HostView): number {
  if (view.power === "absent") return 0;
  return (isActive(view) ? 3 : 1) + (view.hostOffline ? 0 : 1);
}

/** The heaviest view; among equals the host that speaks already, then the newest. */
export function chooseSpeaker<T extends HostView>(views: readonly T[], current: string | null): T | null {
  const ranked = [...views].sort(
    (a, b) =>
      weightOf(b) - weightOf(a) ||
      Number(b.hostId === current) - Number(a.hostId === current) ||
      Date.parse(b.observedAt ?? "1970-01-01T00:00:00Z") - Date.parse(a.observedAt ?? "1970-01-01T00:00:00Z") ||
      (a.hostId < b.hostId ? -1 : 1),
  );
  return ranked[0] ?? null;
}

/** A host that shows the VM too, and when it was last read. */
export const seenAt = ({ hostId, hostName, observedAt, triedAt }: HostView & { triedAt: string }) => ({
  hostId,
  hostName,
  observedAt: observedAt ?? triedAt,
});

export type Elsewhere<T> = {
  /** Both were read after both had begun to run it. */
  proven: T[];
  /** One of the two reads is from before (a migration, a start elsewhere after a crash): nothing is changed till then. */
  unproven: T[];
  /** The hosts whose reads those are. */
  toRead: T[];
};

/**
 * Other hosts on which the VM runs too, or may. One rule for what is reported, planned and done. Whose read is from
 * before and who is offline cannot confirm, and is not counted: see lib/decisions/two-hosts.md.
 */
export function activeElsewhere<T extends HostView>(views: readonly T[], speaker: T): Elsewhere<T> {
  const proven: T[] = [];
  const unproven: T[] = [];
  const toRead = new Set<T>();
  const others = isActive(speaker) ? views.filter((view) => view.hostId !== speaker.hostId && isActive(view)) : [];
  for (const view of others) {
    const both = Math.max(Date.parse(view.activeSince ?? ""), Date.parse(speaker.activeSince ?? ""));
    const before = [view, speaker].filter((one) => !(Date.parse(one.observedAt ?? "") >= both));
    if (before.length === 0) proven.push(view);
    else if (before.every((one) => !one.hostOffline)) {
      unproven.push(view);
      for (const one of before) toRead.add(one);
    }
  }
  return { proven, unproven, toRead: [...toRead] };
}
