/** What a plan stands on, and what of it has changed since. */
import type { PlanBasis, PlanInput } from "./model.ts";

export function basisOf({ record, observation, hostId }: PlanInput): PlanBasis {
  return {
    recordRevision: record.revision,
    observationDigest: observation.digest,
    observedAt: observation.observedAt,
    hostId,
    runtimeId: observation.runtimeId,
  };
}

export type BasisChange = { what: string; was: string; is: string };

/**
 * Every difference that makes a plan out of date, in words for the reader of a 409; empty when it still holds. The time
 * of the observation alone is none: a newer read that says the same is the same basis.
 */
export function changedBasis(
  basis: PlanBasis,
  now: PlanBasis,
  hostName: (hostId: string) => string = (id) => id,
): BasisChange[] {
  const changes: BasisChange[] = [];
  if (basis.hostId !== now.hostId) {
    changes.push({ what: "The VM's host", was: hostName(basis.hostId), is: hostName(now.hostId) });
  }
  if (basis.runtimeId !== now.runtimeId) {
    changes.push({ what: "The run of the VM", was: runWords(basis.runtimeId), is: runWords(now.runtimeId) });
  }
  if (basis.recordRevision !== now.recordRevision) {
    const was = `revision ${basis.recordRevision}`;
    changes.push({ what: "The record", was, is: `revision ${now.recordRevision}` });
  }
  if (basis.observationDigest !== now.observationDigest) {
    const was = `${shortDigest(basis.observationDigest)} at ${basis.observedAt}`;
    const is = `${shortDigest(now.observationDigest)} at ${now.observedAt}`;
    changes.push({ what: "What the host says of checkpoints, bitmaps, disks or jobs", was, is });
  }
  return changes;
}

function runWords(runtimeId: string | null): string {
  return runtimeId === null ? "not running" : `running as ${runtimeId}`;
}

function shortDigest(digest: string): string {
  return `digest ${digest.slice(0, 12)}`;
}
