import type { Plan, PlanRefusal, PlanRequest } from "#chain/plan/model.ts";
import type { PlanRequestInput, PlanView } from "#contract/engine-plans.ts";
import { getPlan, insertPlan } from "#db/index.ts";
import { actorName } from "../actor.ts";
import type { Context } from "../state.ts";
import { computePlan, FRESH_MS, newCheckpointId, PLAN_LIFE_MS } from "./compute.ts";
import { observeFresh, unread } from "./fresh.ts";
import { toRefusalProblem } from "./refusals.ts";
import { readRepositories } from "./repositories.ts";
import { readSituation } from "./situation.ts";
import { toPlanRequest, toPlanView } from "./view.ts";

export type Prepared = { planId: string } | { refusals: PlanRefusal[] };

/**
 * Computes and stores a plan on a read that is not older than a few seconds. Changes nothing else. `accept`: says no
 * to a plan that the caller would not run, so that it is not kept.
 * @throws ProblemError cannot_tell when the host cannot be read; not_found
 */
export async function preparePlan(
  { engine, actor }: Context,
  vmId: string,
  request: PlanRequest,
  options: { groupId?: string; accept?: (plan: Plan) => boolean } = {},
): Promise<Prepared> {
  await observeFresh(engine, vmId, FRESH_MS);
  // One moment for everything that the plan stands on.
  const situation = await engine.db.orm.transaction((tx) => readSituation(tx, vmId), {
    isolationLevel: "repeatable read",
    accessMode: "read only",
  });
  if (!situation) throw unread("The VM has not been read completely yet.", vmId);
  const repositories = await readRepositories(engine, { vmId, hostId: situation.hostId }, request);
  const result = computePlan(engine, situation, request, newCheckpointId(), repositories);
  if (!result.ok) return { refusals: result.refusals };
  if (options.accept?.(result.plan) === false) {
    return { refusals: [{ field: null, code: "not-offered", reason: "A plan of this tier needs a person." }] };
  }
  const createdAt = new Date();
  const expiresAt = new Date(createdAt.getTime() + PLAN_LIFE_MS);
  const createdBy = actorName(actor);
  const body = result.plan;
  const groupId = options.groupId ?? null;
  return { planId: await insertPlan(engine.db.orm, { vmId, groupId, body, createdBy, createdAt, expiresAt }) };
}

/** What would be done, as a value: nothing has happened yet. */
export async function createPlan(context: Context, input: PlanRequestInput & { vmId: string }): Promise<PlanView> {
  const prepared = await preparePlan(context, input.vmId, toPlanRequest(input));
  if ("refusals" in prepared) throw toRefusalProblem(prepared.refusals, input.vmId);
  const plan = await getPlan(context.engine.db.orm, prepared.planId);
  if (!plan) throw new Error("the plan was not stored");
  return toPlanView(plan);
}
