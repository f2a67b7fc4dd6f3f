/** Jobs while they are made and run. How they are shown is in `work.ts`. */
import { and, asc, desc, eq, inArray, isNull, sql } from "drizzle-orm";
import type { Plan, PlanIntent } from "../chain/plan/model.ts";
import { iso, isoOrNull, type Reader, type Tx } from "./client.ts";
import { notifyChange } from "./events.ts";
import { jobSteps, jobs, plans, type STEP_STATES } from "./schema/index.ts";

export type StepState = (typeof STEP_STATES)[number];

export type NewJob = {
  planId: string;
  vmId: string;
  kind: PlanIntent;
  steps: Plan["steps"];
  /** As in the audit log; "driftline": policy did. */
  actor: string;
  role: string | null;
  reason: string | null;
  traceId: string | null;
  idempotencyKey: string | null;
};

/** Makes a job and its steps, queued. Whoever calls it wakes a worker in the same transaction (`enqueueJob`). */
export async function insertJob(tx: Tx, { steps, ...job }: NewJob): Promise<string> {
  const [made] = await tx
    .insert(jobs)
    .values({ ...job, state: "queued" })
    .returning({ id: jobs.id });
  if (!made) throw new Error("a job was not stored");
  await insertSteps(tx, made.id, steps);
  await notifyChange(tx, { type: "job", jobId: made.id, vmId: job.vmId });
  return made.id;
}

/** Adds the steps that are not there yet. */
async function insertSteps(tx: Tx, jobId: string, steps: Plan["steps"]): Promise<void> {
  for (let i = 0; i < steps.length; i += 2_000) {
    const rows = steps.slice(i, i + 2_000).map(({ n, checkpointIds, disks }) => ({
      jobId,
      n,
      state: "queued" as const,
      checkpointIds,
      disks,
    }));
    await tx.insert(jobSteps).values(rows).onConflictDoNothing();
  }
}

/** The job that has the VM or waits for it; null: it is free. The oldest first. */
export async function findLiveJob(db: Reader, vmId: string) {
  const [row] = await db
    .select({ id: jobs.id, kind: jobs.kind, actor: jobs.actor, state: jobs.state, createdAt: jobs.createdAt })
    .from(jobs)
    .where(and(eq(jobs.vmId, vmId), inArray(jobs.state, ["queued", "running"])))
    .orderBy(asc(jobs.createdAt), asc(jobs.id))
    .limit(1);
  return row ? { ...row, createdAt: iso(row.createdAt) } : null;
}

export type JobToRun = NonNullable<Awaited<ReturnType<typeof readJobToRun>>>;

/** A job with its plan and the states of its steps; null when there is no such job or it has no plan. */
export async function readJobToRun(db: Reader, jobId: string) {
  const [row] = await db
    .select({ job: jobs, plan: plans.body })
    .from(jobs)
    .innerJoin(plans, eq(plans.id, jobs.planId))
    .where(eq(jobs.id, jobId));
  if (!row) return null;
  const { job, plan } = row;
  const steps = await db.select().from(jobSteps).where(eq(jobSteps.jobId, jobId)).orderBy(asc(jobSteps.n));
  return {
    id: job.id,
    planId: job.planId,
    vmId: job.vmId,
    kind: job.kind,
    state: job.state,
    actor: job.actor,
    role: job.role,
    reason: job.reason,
    traceId: job.traceId,
    createdAt: iso(job.createdAt),
    startedAt: isoOrNull(job.startedAt),
    cancelRequestedAt: isoOrNull(job.cancelRequestedAt),
    lostContactSince: isoOrNull(job.lostContactSince),
    troubleSince: isoOrNull(job.troubleSince),
    plan,
    steps: steps.map((step) => ({ n: step.n, state: step.state })),
  };
}

export async function startJob(tx: Tx, job: { id: string; vmId: string; steps: Plan["steps"] }): Promise<void> {
  await insertSteps(tx, job.id, job.steps);
  await tx
    .update(jobs)
    .set({ state: "running", startedAt: sql`coalesce(${jobs.startedAt}, now())` })
    .where(and(eq(jobs.id, job.id), inArray(jobs.state, ["queued", "running"])));
  await notifyChange(tx, { type: "job", jobId: job.id, vmId: job.vmId });
}

export type StepResult = {
  n: number;
  state: Exclude<StepState, "queued">;
  outcome?: string | null;
  error?: string | null;
  hostMessage?: string | null;
};

/** Writes what became of steps. A step that begins keeps the time at which it first began. */
export async function saveSteps(tx: Tx, job: { id: string; vmId: string }, results: StepResult[]): Promise<void> {
  for (const { n, state, outcome = null, error = null, hostMessage = null } of results) {
    await tx
      .update(jobSteps)
      .set({
        state,
        outcome,
        error,
        hostMessage,
        startedAt: state === "skipped" ? sql`${jobSteps.startedAt}` : sql`coalesce(${jobSteps.startedAt}, now())`,
        endedAt: state === "running" ? null : sql`now()`,
      })
      .where(and(eq(jobSteps.jobId, job.id), eq(jobSteps.n, n)));
  }
  await notifyChange(tx, { type: "job", jobId: job.id, vmId: job.vmId });
}

/** Bytes so far, for whoever watches. */
export async function saveProgress(
  tx: Tx,
  job: { id: string; vmId: string },
  progress: { doneBytes: number; totalBytes: number | null },
): Promise<void> {
  await tx.update(jobs).set(progress).where(eq(jobs.id, job.id));
  await notifyChange(tx, { type: "job", jobId: job.id, vmId: job.vmId });
}

/** Since when the host is silent; null: it answers. Keeps the first time. */
export async function saveContact(tx: Tx, job: { id: string; vmId: string }, isLost: boolean): Promise<void> {
  const rows = await tx
    .update(jobs)
    .set({ lostContactSince: isLost ? sql`coalesce(${jobs.lostContactSince}, now())` : null })
    .where(and(eq(jobs.id, job.id), isLost ? sql`true` : sql`${jobs.lostContactSince} is not null`))
    .returning({ id: jobs.id });
  if (rows.length > 0) await notifyChange(tx, { type: "job", jobId: job.id, vmId: job.vmId });
}

/** Since when it is tried in vain; false: it came on. Keeps the first time. */
export async function saveTrouble(tx: Tx, job: { id: string }, isTrouble: boolean): Promise<void> {
  await tx
    .update(jobs)
    .set({ troubleSince: isTrouble ? sql`coalesce(${jobs.troubleSince}, now())` : null })
    .where(eq(jobs.id, job.id));
}

/** The job is over; steps that were not reached are skipped, one that was running failed with it. */
export async function endJob(
  tx: Tx,
  job: { id: string; vmId: string },
  end: {
    state: "succeeded" | "failed" | "cancelled" | "lost";
    error: string | null;
    proof: Record<string, unknown> | null;
  },
): Promise<void> {
  await tx
    .update(jobs)
    .set({ ...end, endedAt: sql`now()` })
    .where(eq(jobs.id, job.id));
  await tx
    .update(jobSteps)
    .set({ state: "skipped" })
    .where(and(eq(jobSteps.jobId, job.id), eq(jobSteps.state, "queued")));
  await tx
    .update(jobSteps)
    .set({ state: "failed", endedAt: sql`now()`, error: sql`coalesce(${jobSteps.error}, ${end.error})` })
    .where(and(eq(jobSteps.jobId, job.id), eq(jobSteps.state, "running")));
  await notifyChange(tx, { type: "job", jobId: job.id, vmId: job.vmId });
}

/** Asks a job to stop, if it has not ended. Asking again keeps the first time. */
export async function requestCancel(tx: Tx, jobId: string): Promise<"asked" | "asked-before" | "ended"> {
  const open = and(eq(jobs.id, jobId), inArray(jobs.state, ["queued", "running"]));
  const [row] = await tx
    .update(jobs)
    .set({ cancelRequestedAt: sql`now()` })
    .where(and(open, isNull(jobs.cancelRequestedAt)))
    .returning({ vmId: jobs.vmId });
  if (row) {
    await notifyChange(tx, { type: "job", jobId, vmId: row.vmId });
    return "asked";
  }
  return (await tx.select({ id: jobs.id }).from(jobs).where(open)).length > 0 ? "asked-before" : "ended";
}

export async function isCancelRequested(db: Reader, jobId: string): Promise<boolean> {
  const [row] = await db.select({ at: jobs.cancelRequestedAt }).from(jobs).where(eq(jobs.id, jobId));
  return row?.at != null;
}

/** Jobs that have not ended and that nobody works on now, oldest first. */
export async function listAbandonedJobs(db: Reader, limit: number): Promise<{ jobId: string; vmId: string }[]> {
  const rows = await db.execute<{ job_id: string; vm_id: string }>(sql`
    select j.id as job_id, j.vm_id from jobs j
    where j.state in ('queued', 'running') and not exists (
      select 1 from vm_leases l where l.vm_id = j.vm_id and l.expires_at > now()
        and (l.job_id = j.id or exists (select 1 from jobs o where o.id = l.job_id and o.state in ('queued', 'running'))))
    order by j.created_at limit ${limit}`);
  return rows.rows.map((row) => ({ jobId: row.job_id, vmId: row.vm_id }));
}

/** How many clean-ups of a VM have failed since the last one that did not, and when the newest ended. */
export async function readCleanUps(db: Reader, vmId: string): Promise<{ failures: number; lastAt: string | null }> {
  const rows = await db
    .select({ state: jobs.state, endedAt: jobs.endedAt })
    .from(jobs)
    .where(and(eq(jobs.vmId, vmId), eq(jobs.actor, "driftline"), inArray(jobs.kind, ["remove", "repair-record"])))
    .orderBy(desc(jobs.createdAt))
    .limit(20);
  const firstGood = rows.findIndex((row) => row.state === "succeeded");
  return { failures: firstGood === -1 ? rows.length : firstGood, lastAt: isoOrNull(rows[0]?.endedAt ?? null) };
}
