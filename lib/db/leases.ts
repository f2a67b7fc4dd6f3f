/**
 * Who may change a VM now. One row a VM: a job and the process that works on it, until a time. The process renews it;
 * when it dies the time runs out and another process takes the same job over. Another job gets the VM only when the
 * first has ended, however long nobody worked on it: what a job left half done is finished before anything new begins.
 */
import { and, eq, gt, inArray, sql } from "drizzle-orm";
import type { Reader, Tx } from "./client.ts";
import { jobs, vmLeases } from "./schema/index.ts";

export type Lease = { vmId: string; jobId: string; holder: string };

/** The lease was taken over or has run out: whoever held it stops before doing anything more. */
export class LeaseLost extends Error {
  constructor() {
    super("The lease of the VM is held by somebody else now.");
    this.name = "LeaseLost";
  }
}

const until = (seconds: number) => sql`now() + make_interval(secs => ${seconds})`;

/** Takes the VM for a job. False: another job that has not ended has it, or another process works on this one. */
export async function takeLease(db: Reader, lease: Lease, seconds: number): Promise<boolean> {
  const taken = await db
    .insert(vmLeases)
    .values({ ...lease, takenAt: sql`now()`, expiresAt: until(seconds) })
    .onConflictDoUpdate({
      target: vmLeases.vmId,
      set: {
        jobId: sql`excluded.job_id`,
        holder: sql`excluded.holder`,
        takenAt: sql`excluded.taken_at`,
        expiresAt: sql`excluded.expires_at`,
      },
      setWhere: sql`
        (${vmLeases.jobId} = excluded.job_id and (${vmLeases.holder} = excluded.holder or ${vmLeases.expiresAt} <= now()))
        or not exists (select 1 from jobs j where j.id = ${vmLeases.jobId} and j.state in ('queued', 'running'))`,
    })
    .returning({ vmId: vmLeases.vmId });
  return taken.length > 0;
}

const own = (lease: Lease) =>
  and(
    eq(vmLeases.vmId, lease.vmId),
    eq(vmLeases.jobId, lease.jobId),
    eq(vmLeases.holder, lease.holder),
    gt(vmLeases.expiresAt, sql`now()`),
  );

/** @throws LeaseLost: it ran out, even if nobody has taken it yet */
export async function renewLease(db: Reader, lease: Lease, seconds: number): Promise<void> {
  const rows = await db
    .update(vmLeases)
    .set({ expiresAt: until(seconds) })
    .where(own(lease))
    .returning({ vmId: vmLeases.vmId });
  if (rows.length === 0) throw new LeaseLost();
}

/** For every transaction that records what a job did: holds the row, so that nobody takes over before it commits. */
export async function assertLease(tx: Tx, lease: Lease): Promise<void> {
  const rows = await tx.select({ vmId: vmLeases.vmId }).from(vmLeases).where(own(lease)).for("update");
  if (rows.length === 0) throw new LeaseLost();
}

/** The job that has the VM now: it works on it, or its process died and another will go on. */
export async function findHoldingJob(db: Reader, vmId: string): Promise<{ id: string; kind: string } | null> {
  const [row] = await db
    .select({ id: jobs.id, kind: jobs.kind })
    .from(vmLeases)
    .innerJoin(jobs, eq(jobs.id, vmLeases.jobId))
    .where(and(eq(vmLeases.vmId, vmId), inArray(jobs.state, ["queued", "running"])));
  return row ?? null;
}

/** Lets another process go on with the job at once. The VM stays the job's. */
export async function yieldLease(db: Reader, lease: Lease): Promise<void> {
  await db.update(vmLeases).set({ expiresAt: sql`now()` }).where(own(lease));
}

/** The job has ended: the VM is free. */
export async function dropLease(tx: Tx, lease: Lease): Promise<void> {
  await tx.delete(vmLeases).where(and(eq(vmLeases.vmId, lease.vmId), eq(vmLeases.jobId, lease.jobId)));
}
