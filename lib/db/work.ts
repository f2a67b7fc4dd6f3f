/** Jobs as they are shown, and what they are changing now. */
import { and, asc, desc, eq, inArray, sql } from "drizzle-orm";
import type { InFlight } from "../chain/model.ts";
import { placeOf } from "../chain/plan/model.ts";
import { iso, isoOrNull, type Reader } from "./client.ts";
import { disks, type JOB_STATES, jobSteps, jobs, plans, vmBackupDiskMap, vmBackups, vms } from "./schema/index.ts";
import { type Scope, vmIn } from "./scope.ts";

export type JobState = (typeof JOB_STATES)[number];

const stepsOf = (done: boolean) =>
  sql<number>`(select count(*)::int from ${jobSteps} s where s.job_id = ${jobs.id}
    ${done ? sql`and s.state in ('succeeded', 'skipped')` : sql``})`;

const select = (db: Reader) =>
  db
    .select({
      job: jobs,
      vmName: vms.name,
      groupId: plans.groupId,
      stepsDone: stepsOf(true),
      stepsTotal: stepsOf(false),
    })
    .from(jobs)
    .innerJoin(vms, eq(vms.id, jobs.vmId))
    .leftJoin(plans, eq(plans.id, jobs.planId));

export type JobRecord = ReturnType<typeof toRow>;

const toRow = ({ job, vmName, groupId, stepsDone, stepsTotal }: Awaited<ReturnType<typeof select>>[number]) => ({
  id: job.id,
  planId: job.planId,
  groupId,
  vmId: job.vmId,
  vmName,
  kind: job.kind,
  state: job.state,
  actor: job.actor,
  reason: job.reason,
  createdAt: iso(job.createdAt),
  startedAt: isoOrNull(job.startedAt),
  endedAt: isoOrNull(job.endedAt),
  stepsDone,
  stepsTotal,
  progress: job.doneBytes === null ? null : { doneBytes: job.doneBytes, totalBytes: job.totalBytes },
  lostContactSince: isoOrNull(job.lostContactSince),
  cancelRequestedAt: isoOrNull(job.cancelRequestedAt),
  error: job.error,
});

/** Jobs, newest first; `before` are creation and id of the last row of the page before. */
export async function listJobs(
  db: Reader,
  query: {
    vmId?: string;
    state?: JobState;
    groupId?: string;
    before: { createdAt: string; id: string } | null;
    limit: number;
    /** Only jobs on VMs of these hosts. */
    scope?: Scope;
  },
) {
  const filter = and(
    query.vmId === undefined ? undefined : eq(jobs.vmId, query.vmId),
    query.state === undefined ? undefined : eq(jobs.state, query.state),
    query.groupId === undefined
      ? undefined
      : inArray(jobs.planId, db.select({ id: plans.id }).from(plans).where(eq(plans.groupId, query.groupId))),
    vmIn(jobs.vmId, query.scope),
  );
  const before = query.before
    ? sql`(${jobs.createdAt}, ${jobs.id}) < (${query.before.createdAt}::timestamptz, ${query.before.id}::uuid)`
    : undefined;
  const rows = await select(db)
    .where(and(filter, before))
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(query.limit + 1);
  const [count] = await db.select({ n: sql<number>`count(*)::int` }).from(jobs).where(filter);
  return { items: rows.slice(0, query.limit).map(toRow), more: rows.length > query.limit, total: count?.n ?? 0 };
}

/** One job with its steps in the words of its plan, and what its backup wrote. */
export async function getJob(db: Reader, jobId: string) {
  const [found] = await select(db).where(eq(jobs.id, jobId));
  if (!found) return null;
  const { job } = found;
  const [plan] = job.planId ? await db.select({ body: plans.body }).from(plans).where(eq(plans.id, job.planId)) : [];
  const words = new Map(plan?.body.steps.map((step) => [step.n, step]));
  const steps = await db.select().from(jobSteps).where(eq(jobSteps.jobId, jobId)).orderBy(asc(jobSteps.n));
  const written = await db
    .select({
      target: disks.target,
      mode: vmBackupDiskMap.mode,
      bytes: vmBackupDiskMap.bytes,
      path: vmBackupDiskMap.path,
    })
    .from(vmBackupDiskMap)
    .innerJoin(vmBackups, eq(vmBackups.id, vmBackupDiskMap.backupId))
    .innerJoin(disks, eq(disks.id, vmBackupDiskMap.diskId))
    .where(eq(vmBackups.jobId, jobId))
    .orderBy(asc(disks.target));
  const planned = plan?.body.actions.find((action) => action.verb === "host.backup");
  const asked = planned?.disks.map(({ target, mode }) => ({ target, mode, bytes: null, path: null })) ?? [];
  return {
    ...toRow(found),
    proof: job.proof,
    disks:
      written.length > 0
        ? written.map((disk) => ({
            ...disk,
            mode: disk.mode === "full" ? ("full" as const) : ("incremental" as const),
          }))
        : asked,
    steps: steps.map((step) => ({
      n: step.n,
      verb: words.get(step.n)?.verb ?? "",
      subject: words.get(step.n)?.subject ?? "",
      call: words.get(step.n)?.call ?? "",
      place: words.get(step.n)?.place ?? placeOf(words.get(step.n)?.verb ?? ""),
      state: step.state,
      startedAt: isoOrNull(step.startedAt),
      endedAt: isoOrNull(step.endedAt),
      error: step.error,
      hostMessage: step.hostMessage,
      outcome: step.outcome,
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
