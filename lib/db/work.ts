/** Plans and jobs. */
import { and, asc, desc, eq, inArray, sql } from "drizzle-orm";
import type { InFlight } from "../chain/model.ts";
import { iso, isoOrNull, type Reader } from "./client.ts";
import { jobSteps, jobs, plans } from "./schema/index.ts";

export async function getPlan(db: Reader, planId: string) {
  const [row] = await db.select().from(plans).where(eq(plans.id, planId));
  if (!row) return null;
  return { ...row, createdAt: iso(row.createdAt), expiresAt: iso(row.expiresAt) };
}

const shape = (row: typeof jobs.$inferSelect) => ({
  id: row.id,
  planId: row.planId,
  vmId: row.vmId,
  kind: row.kind,
  state: row.state,
  startedAt: isoOrNull(row.startedAt),
  endedAt: isoOrNull(row.endedAt),
  createdAt: iso(row.createdAt),
});

/** Jobs, newest first; `before` are creation and id of the last row of the page before. */
export async function listJobs(
  db: Reader,
  query: { vmId?: string; before: { createdAt: string; id: string } | null; limit: number },
) {
  const filter = query.vmId === undefined ? undefined : eq(jobs.vmId, query.vmId);
  const before = query.before
    ? sql`(${jobs.createdAt}, ${jobs.id}) < (${query.before.createdAt}::timestamptz, ${query.before.id}::uuid)`
    : undefined;
  const rows = await db
    .select()
    .from(jobs)
    .where(and(filter, before))
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(query.limit + 1);
  const [count] = await db.select({ n: sql<number>`count(*)::int` }).from(jobs).where(filter);
  return { items: rows.slice(0, query.limit).map(shape), more: rows.length > query.limit, total: count?.n ?? 0 };
}

export async function getJob(db: Reader, jobId: string) {
  const [row] = await db.select().from(jobs).where(eq(jobs.id, jobId));
  if (!row) return null;
  const steps = await db.select().from(jobSteps).where(eq(jobSteps.jobId, jobId)).orderBy(asc(jobSteps.n));
  return {
    ...shape(row),
    proof: row.proof,
    progress: row.doneBytes === null ? null : { doneBytes: row.doneBytes, totalBytes: row.totalBytes },
    steps: steps.map((step) => ({
      n: step.n,
      state: step.state,
      startedAt: isoOrNull(step.startedAt),
      endedAt: isoOrNull(step.endedAt),
      error: step.error,
    })),
  };
}

/** What our own jobs are changing on a VM now: in flight and not drift. */
export async function listInFlight(db: Reader, vmId: string): Promise<InFlight[]> {
  const rows = await db
    .select()
    .from(jobs)
    .where(and(eq(jobs.vmId, vmId), inArray(jobs.state, ["queued", "running"])));
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const steps = await db.select().from(jobSteps).where(inArray(jobSteps.jobId, ids));
  return rows.map((job) => {
    const own = steps.filter((step) => step.jobId === job.id);
    return {
      kind: job.kind,
      startedAt: iso(job.startedAt ?? job.createdAt),
      checkpointIds: [...new Set(own.flatMap((step) => step.checkpointIds ?? []))],
      disks: [...new Set(own.flatMap((step) => step.disks ?? []))],
    };
  });
}
