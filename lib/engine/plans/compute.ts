import { randomBytes } from "node:crypto";
import { buildPlan } from "#chain/plan/build.ts";
import type { PlanRequest, PlanResult } from "#chain/plan/model.ts";
import type { Engine } from "../state.ts";
import { cannotTell } from "./fresh.ts";
import { isInside, refuseRepository } from "./repositories.ts";
import type { Situation } from "./situation.ts";

/** How long a plan can be applied. It stays readable for ever. */
export const PLAN_LIFE_MS = 15 * 60_000;
/** A plan must stand on fresh evidence: what is older is read again first. */
export const FRESH_MS = 10_000;

/** Name of the checkpoint that a backup makes: in the order of time, and never twice. */
export const newCheckpointId = (now = new Date()): string =>
  `driftline-${now.toISOString().replaceAll(/[-:]|\.\d+/g, "")}-${randomBytes(3).toString("hex")}`;

/** The plan for a request in a situation, or every reason against it. `repositories`: see `readRepositories`. */
export function computePlan(
  { config }: Pick<Engine, "config">,
  situation: Situation,
  request: PlanRequest,
  checkpointId: string,
  repositories: readonly string[],
): PlanResult {
  const { vmName, hostId, record, observation, findings, activeElsewhere, restoreFiles, error } = situation;
  if (error) throw cannotTell(error, record.vmId);
  // A file that this host does not serve cannot be built upon: that disk is taken in full.
  const reachable = [...restoreFiles].filter(([, file]) => repositories.some((one) => isInside(one, file)));
  const result = buildPlan({
    vmName,
    hostId,
    record,
    observation,
    findings,
    activeElsewhere,
    request,
    policy: { leastTier: config.policy.leastTier, digestBackups: config.policy.digestBackups },
    newCheckpointId: checkpointId,
    restorePoints: new Set(reachable.map(([point]) => point)),
  });
  const refusals = [...refuseRepository(request, repositories), ...(result.ok ? [] : result.refusals)];
  return refusals.length > 0 ? { ok: false, refusals } : result;
}
