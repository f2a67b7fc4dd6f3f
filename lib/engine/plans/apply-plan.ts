import type { JobView } from "#contract/engine-jobs.ts";
import { getPlan } from "#db/index.ts";
import { assertRole } from "../actor.ts";
import { getJob } from "../jobs/jobs.ts";
import type { Context } from "../state.ts";
import { requireKey } from "./apply-rules.ts";
import { noSuchPlan } from "./get-plan.ts";
import { runPlan } from "./run-plan.ts";

/** Runs a plan, at most once. The same key again answers with the same job. */
export async function applyPlan(
  context: Context,
  input: { planId: string; confirm?: string; acknowledged?: string[]; reason?: string },
): Promise<JobView> {
  const { orm } = context.engine.db;
  const plan = await getPlan(orm, input.planId);
  if (!plan) throw noSuchPlan(input.planId);
  assertRole(context.actor, plan.body.role, plan.vmId);
  const result = await runPlan(context, plan, {
    confirm: input.confirm,
    acknowledged: input.acknowledged ?? [],
    reason: input.reason ?? null,
    idempotencyKey: requireKey(context.idempotencyKey),
  });
  if ("refused" in result) throw result.refused;
  return getJob(context, { jobId: result.jobId });
}
