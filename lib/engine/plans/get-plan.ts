import type { PlanView } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";
import { getPlan as find } from "#db/index.ts";
import type { Context } from "../state.ts";

/** A plan as it was made. One that nobody applied in time is shown as expired. */
export async function getPlan({ engine }: Context, { planId }: { planId: string }): Promise<PlanView> {
  const plan = await find(engine.db.orm, planId);
  if (!plan) throw new ProblemError("not_found", `There is no plan ${planId}.`, { subject: planId });
  const expired = plan.state === "ready" && Date.parse(plan.expiresAt) < Date.now();
  const { consequences, steps } = plan.body;
  return { ...plan, consequences, steps, state: expired ? "expired" : plan.state };
}
