import { z } from "zod";
import { type JobView, jobSchema } from "#contract/engine-jobs.ts";
import { ProblemError } from "#contract/problem.ts";
import { getJob as findJob, listJobs as findJobs, type JobState } from "#db/index.ts";
import { cursorTime, decodeCursor, encodeCursor } from "../cursor.ts";
import { scopeOf } from "../scope.ts";
import type { Context } from "../state.ts";

/** Jobs, newest first. */
export async function listJobs(
  context: Context,
  { cursor, ...query }: { vmId?: string; state?: JobState; groupId?: string; cursor?: string; limit: number },
) {
  const at = decodeCursor(cursor, "jobs", z.tuple([cursorTime, z.uuid()]));
  const before = at ? { createdAt: at[0], id: at[1] } : null;
  const { items, more, total } = await findJobs(context.engine.db.orm, { ...query, before, scope: scopeOf(context) });
  const last = items.at(-1);
  return { items, nextCursor: more && last ? encodeCursor("jobs", [last.createdAt, last.id]) : null, total };
}

/** One job with its steps, progress and proof. */
export async function getJob({ engine }: Context, { jobId }: { jobId: string }): Promise<JobView> {
  const job = await findJob(engine.db.orm, jobId);
  if (!job) throw new ProblemError("not_found", `There is no job ${jobId}.`, { subject: jobId });
  return { ...job, proof: jobSchema.shape.proof.parse(job.proof) };
}
