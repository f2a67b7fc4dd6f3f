import { z } from "zod";
import type { JobView } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";
import { getJob as findJob, listJobs as findJobs } from "#db/index.ts";
import { cursorTime, decodeCursor, encodeCursor } from "../cursor.ts";
import type { Context } from "../state.ts";

export async function listJobs({ engine }: Context, query: { vmId?: string; cursor?: string; limit: number }) {
  const at = decodeCursor(query.cursor, "jobs", z.tuple([cursorTime, z.uuid()]));
  const before = at ? { createdAt: at[0], id: at[1] } : null;
  const { items, more, total } = await findJobs(engine.db.orm, { vmId: query.vmId, before, limit: query.limit });
  const last = items.at(-1);
  return {
    items: items.map(({ id, planId, vmId, state, startedAt, endedAt }) => ({
      id,
      planId,
      vmId,
      state,
      startedAt,
      endedAt,
    })),
    nextCursor: more && last ? encodeCursor("jobs", [last.createdAt, last.id]) : null,
    total,
  };
}

export async function getJob({ engine }: Context, { jobId }: { jobId: string }): Promise<JobView> {
  const job = await findJob(engine.db.orm, jobId);
  if (!job) throw new ProblemError("not_found", `There is no job ${jobId}.`, { subject: jobId });
  const { createdAt: _made, ...view } = job;
  return view;
}
