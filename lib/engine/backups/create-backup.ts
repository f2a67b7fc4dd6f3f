import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { leastRole } from "#chain/plan/build.ts";
import type { PlanRequest } from "#chain/plan/model.ts";
import type { JobView } from "#contract/engine-jobs.ts";
import { ProblemError } from "#contract/problem.ts";
import { findJobByKey, getPlan, type StoredPlan, writeAudit } from "#db/index.ts";
import { actorName, assertRole } from "../actor.ts";
import { getJob } from "../jobs/jobs.ts";
import { preparePlan } from "../plans/create-plan.ts";
import { toRefusalProblem } from "../plans/refusals.ts";
import { runPlan } from "../plans/run-plan.ts";
import type { Context } from "../state.ts";

type Input = { vmId: string; mode: "full" | "auto"; disks?: string[]; repository?: string; reason?: string };
type BackupRequest = Extract<PlanRequest, { intent: "backup" }>;

/**
 * A plan and its application in one call: a backup takes nothing away, so that there is nothing to read before it begins.
 * Where the policy has a person asked all the same the plan is left for that person.
 * @throws ProblemError as making and applying the plan do; conflict naming a plan that asks for something first
 */
export async function createBackup(context: Context, input: Input): Promise<JobView> {
  const { vmId, mode, disks = null, repository = null, reason = null } = input;
  const request: BackupRequest = { intent: "backup", mode, disks, repository };
  assertRole(context.actor, leastRole(request), vmId);
  const idempotencyKey = context.idempotencyKey ?? randomUUID();
  const known = await findMade(context, vmId, request, idempotencyKey);
  if (known) return known;
  // The same wish twice at once: one of the two made the job of both, and it stands in the way of the other.
  const orMade = async (problem: ProblemError): Promise<JobView> => {
    const made = await findMade(context, vmId, request, idempotencyKey);
    if (made) return made;
    throw problem;
  };
  const prepared = await preparePlan(context, vmId, request);
  if ("refusals" in prepared) return orMade(toRefusalProblem(prepared.refusals, vmId, (field) => field));
  const plan = await getPlan(context.engine.db.orm, prepared.planId);
  if (!plan) throw new Error("the plan was not stored");
  if (plan.tier >= 2) throw await leaveToPerson(context, plan, reason);
  const result = await runPlan(context, plan, { confirm: undefined, acknowledged: [], reason, idempotencyKey });
  return "jobId" in result ? getJob(context, result) : orMade(result.refused);
}

/** The job that this key made, or null. @throws ProblemError conflict when it was another wish */
async function findMade(
  context: Context,
  vmId: string,
  request: BackupRequest,
  idempotencyKey: string,
): Promise<JobView | null> {
  const { orm } = context.engine.db;
  const job = await findJobByKey(orm, vmId, idempotencyKey);
  if (!job) return null;
  const plan = job.planId === null ? null : await getPlan(orm, job.planId);
  if (isDeepStrictEqual(plan?.body.request, request)) return getJob(context, { jobId: job.id });
  const detail = `This Idempotency-Key made the job ${job.id} of another wish already; use a new one.`;
  throw new ProblemError("conflict", detail, { subject: vmId });
}

/** Refuses it with what it asks for, and writes that down. */
async function leaveToPerson({ engine, actor, traceId }: Context, plan: StoredPlan, reason: string | null) {
  const { id, vmId, tier, body } = plan;
  const errors = [{ field: "planId", reason: `${id} is kept: apply it with what it asks for` }];
  if (body.confirm !== null) errors.push({ field: "confirm", reason: `type ${body.confirm} to confirm` });
  for (const loss of body.losses) errors.push({ field: "acknowledged", reason: `${loss.id}: ${loss.text}` });
  const detail = `The plan ${id} is of tier ${tier} here and needs a person who confirms it.`;
  await writeAudit(engine.db.orm, {
    actor: actorName(actor),
    role: actor.role,
    action: "backups.create",
    outcome: "refused",
    subject: vmId,
    detail,
    traceId,
    planId: id,
    reason,
  });
  return new ProblemError("conflict", detail, { subject: vmId, errors });
}
