import type { JobView } from "#contract/engine-jobs.ts";
import { ProblemError } from "#contract/problem.ts";
import { inTransaction, readJobToRun, requestCancel, writeAudit } from "#db/index.ts";
import { actorName, assertRole } from "../actor.ts";
import type { Context } from "../state.ts";
import { getJob } from "./jobs.ts";

/** Asks a job to stop after its running step; a backup is aborted. Needs the role that its plan needs. Asking twice is asking once. */
export async function cancelJob(context: Context, { jobId }: { jobId: string }): Promise<JobView> {
  const { engine, actor, traceId } = context;
  const job = await readJobToRun(engine.db.orm, jobId);
  if (!job) throw new ProblemError("not_found", `There is no job ${jobId}.`, { subject: jobId });
  assertRole(actor, job.plan.role, job.vmId);
  await inTransaction(engine.db, async (tx) => {
    const asked = await requestCancel(tx, jobId);
    if (asked === "ended") throw new ProblemError("conflict", "The job has ended already.", { subject: jobId });
    await writeAudit(tx, {
      actor: actorName(actor),
      role: actor.role,
      action: "jobs.cancel",
      subject: job.vmId,
      outcome: asked === "asked" ? "done" : "unchanged",
      detail: asked === "asked" ? `asked ${job.kind} to stop` : `${job.kind} was asked to stop before`,
      traceId,
      planId: job.planId,
      jobId,
    });
  });
  return getJob(context, { jobId });
}
