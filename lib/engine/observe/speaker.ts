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

const isActive = (view: HostView): boolean => view.power === "running" || view.power === "paused";

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

/**
 * Other hosts on which the VM runs too. `proven` ones were read after both had begun to run it; the others were read
 * before (a migration, a start elsewhere after a crash) and must be read again before anything is said.
 */
export function activeElsewhere<T extends HostView>(views: readonly T[], speaker: T): { proven: T[]; unproven: T[] } {
  const proven: T[] = [];
  const unproven: T[] = [];
  if (!isActive(speaker)) return { proven, unproven };
  for (const view of views) {
    if (view.hostId === speaker.hostId || !isActive(view)) continue;
    const both = Math.max(Date.parse(view.activeSince ?? ""), Date.parse(speaker.activeSince ?? ""));
    const read = (at: string | null) => Date.parse(at ?? "") >= both;
    (read(view.observedAt) && read(speaker.observedAt) ? proven : unproven).push(view);
  }
  return { proven, unproven };
}
