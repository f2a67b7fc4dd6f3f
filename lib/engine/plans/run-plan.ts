import { ProblemError } from "#contract/problem.ts";
import {
  holdHost,
  insertJob,
  inTransaction,
  lockPlan,
  lockVm,
  markPlanApplied,
  markPlanOutOfDate,
  notifyChange,
  type Reader,
  type StoredPlan,
  writeAudit,
} from "#db/index.ts";
import { actorName } from "../actor.ts";
import { enqueueJob } from "../jobs/queue.ts";
import type { Context } from "../state.ts";
import { type ApplyInput, judgeApply, outOfDate } from "./apply-rules.ts";
import { findBasisChanges } from "./basis-changes.ts";
import { observeFresh } from "./fresh.ts";
import { readRepositories } from "./repositories.ts";
import { readSituation } from "./situation.ts";

export type RunResult = { jobId: string } | { refused: ProblemError };

/**
 * Makes the one job of a plan, or says why not; both are audited. The caller has checked the plan's role. The host is
 * read first; then, in one transaction that holds plan and VM: the rules again, the basis, the job with its steps, the
 * audit row and the message to the workers. Of several at once exactly one gets the job.
 */
export async function runPlan(context: Context, plan: StoredPlan, input: ApplyInput): Promise<RunResult> {
  const { engine } = context;
  const { orm } = engine.db;
  const refuse = async (db: Reader, refused: ProblemError): Promise<RunResult> => {
    await audit(db, context, plan, input, { outcome: "refused", detail: `${refused.code}: ${refused.message}` });
    return { refused };
  };
  // What is known without asking the host need not trouble it.
  const early = await judgeApply(orm, plan, input);
  if (early instanceof ProblemError) return refuse(orm, early);
  if (early) return early;
  let repositories: string[];
  try {
    await observeFresh(engine, plan.vmId, 0);
    const { vmId, basis, body } = plan;
    repositories = await readRepositories(engine, { vmId, hostId: basis.hostId }, body.request);
  } catch (error) {
    return refuse(orm, asProblem(error));
  }
  return inTransaction(engine.db, async (tx): Promise<RunResult> => {
    const now = await lockPlan(tx, plan.id);
    await lockVm(tx, { id: plan.vmId });
    if (!now) throw new Error("a plan is gone");
    const judged = await judgeApply(tx, now, input);
    if (judged instanceof ProblemError) return refuse(tx, judged);
    if (judged) return judged;
    if (!(await holdHost(tx, now.basis.hostId))) return refuse(tx, hostGone(now.vmId));
    // Read successfully a moment ago, and not since: nothing is written yet, and the refusal is audited like the others.
    const situation = await readSituation(tx, now.vmId);
    const changes = await findBasisChanges(engine, tx, now, situation, repositories).catch(asProblem);
    if (changes instanceof ProblemError) return refuse(tx, changes);
    if (changes.length > 0) {
      await markPlanOutOfDate(tx, now.id, changes);
      return refuse(tx, outOfDate(now.vmId, changes));
    }
    await markPlanApplied(tx, now.id);
    const jobId = await insertJob(tx, {
      planId: now.id,
      vmId: now.vmId,
      kind: now.intent,
      steps: now.body.steps,
      actor: actorName(context.actor),
      role: context.actor.role,
      reason: input.reason,
      traceId: context.traceId,
      idempotencyKey: input.idempotencyKey,
    });
    const { intent, tier, body } = now;
    const detail = `${intent}, tier ${tier}, ${body.steps.length} steps`;
    await audit(tx, context, now, input, { outcome: "done", detail, jobId });
    await enqueueJob(tx, { jobId, vmId: now.vmId });
    await notifyChange(tx, { type: "vm", vmId: now.vmId });
    return { jobId };
  });
}

function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  throw error;
}

const hostGone = (vmId: string): ProblemError =>
  new ProblemError("conflict", "The host was retired meanwhile: nothing begins there any more.", { subject: vmId });

function audit(
  db: Reader,
  { actor, traceId }: Context,
  plan: StoredPlan,
  { reason }: ApplyInput,
  what: { outcome: "done" | "refused"; detail: string; jobId?: string },
): Promise<void> {
  return writeAudit(db, {
    actor: actorName(actor),
    role: actor.role,
    action: "plans.apply",
    subject: plan.vmId,
    traceId,
    planId: plan.id,
    reason,
    ...what,
  });
}
