import type { PlanView } from "#contract/engine-plans.ts";
import { ProblemError } from "#contract/problem.ts";
import { getPlan as find } from "#db/index.ts";
import type { Context } from "../state.ts";
import { toPlanView } from "./view.ts";

export const noSuchPlan = (planId: string) =>
  new ProblemError("not_found", `There is no plan ${planId}.`, { subject: planId });

/** A plan as it was made. One that nobody applied in time is shown as expired. */
export async function getPlan({ engine }: Context, { planId }: { planId: string }): Promise<PlanView> {
  const plan = await find(engine.db.orm, planId);
  if (!plan) throw noSuchPlan(planId);
  return toPlanView(plan);
}
