import type { PlanBasis, PlanInput } from "./model.ts";

/** What a plan stands on. What of it has changed since is said in changes.ts. */
export function basisOf({ record, observation, hostId }: PlanInput): PlanBasis {
  return {
    recordRevision: record.revision,
    observationDigest: observation.digest,
    observedAt: observation.observedAt,
    hostId,
    runtimeId: observation.runtimeId,
  };
}
