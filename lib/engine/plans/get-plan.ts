import { isDeepStrictEqual } from "node:util";
import type { PlanView } from "#contract/engine-plans.ts";
import { ProblemError } from "#contract/problem.ts";
import { getPlan as find, type PlanChange, readGround, type StoredPlan } from "#db/index.ts";
import type { Context, Engine } from "../state.ts";
import { compareBasis } from "./basis-changes.ts";
import { readSituation } from "./situation.ts";
import { toPlanView } from "./view.ts";

export const noSuchPlan = (planId: string) =>
  new ProblemError("not_found", `There is no plan ${planId}.`, { subject: planId });

/**
 * A plan as it was made. One that nobody applied in time is shown as expired, and one whose ground has moved by the
 * newest read as out of date. Nothing of that is stored: only applying, which reads the host, settles it.
 */
export async function getPlan({ engine }: Context, { planId }: { planId: string }): Promise<PlanView> {
  const plan = await find(engine.db.orm, planId);
  if (!plan) throw noSuchPlan(planId);
  return viewByNewestRead(engine.db, plan);
}

/** The same of a plan that was looked up already. */
export async function viewByNewestRead(db: Engine["db"], plan: StoredPlan): Promise<PlanView> {
  const changes = plan.state === "ready" ? await changesByNewestRead(db, plan) : [];
  return toPlanView(changes.length > 0 ? { ...plan, state: "out-of-date", changes } : plan);
}

/** One small row says whether anything differs; what it is, is looked for only then. */
async function changesByNewestRead(db: Engine["db"], plan: StoredPlan): Promise<PlanChange[]> {
  const { recordRevision, observationDigest, hostId, runtimeId } = plan.basis;
  const ground = await readGround(db.orm, plan.vmId);
  if (isDeepStrictEqual(ground, { recordRevision, observationDigest, hostId, runtimeId })) return [];
  const now = await db.orm.transaction((tx) => readSituation(tx, plan.vmId), {
    isolationLevel: "repeatable read",
    accessMode: "read only",
  });
  return compareBasis(db.orm, plan, now);
}
