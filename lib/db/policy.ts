/** What policy did by itself before, and what it may still want to do. */
import { and, desc, eq, sql } from "drizzle-orm";
import type { PlanIntent } from "../chain/plan/model.ts";
import { isoOrNull, type Reader } from "./client.ts";
import { jobs, plans } from "./schema/index.ts";

/** The newest jobs of one intent that an actor started on a VM, newest first, with the read that each stood on. */
export async function listAttempts(
  db: Reader,
  query: { vmId: string; intent: PlanIntent; actor: string; limit: number },
) {
  const rows = await db
    .select({
      digest: sql<string>`${plans.basis} ->> 'observationDigest'`,
      state: jobs.state,
      endedAt: jobs.endedAt,
      proof: jobs.proof,
    })
    .from(jobs)
    .innerJoin(plans, eq(plans.id, jobs.planId))
    .where(and(eq(jobs.vmId, query.vmId), eq(jobs.kind, query.intent), eq(jobs.actor, query.actor)))
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(query.limit);
  return rows.map(({ digest, state, endedAt, proof }) => {
    const left = proof?.left;
    const cured = state === "succeeded" && Array.isArray(left) && left.length === 0;
    return { digest, endedAt: isoOrNull(endedAt), cured };
  });
}

/** VMs of a host that run and on which something stands that could be repaired. */
export async function listRepairable(db: Reader, hostId: string): Promise<string[]> {
  const rows = await db.execute<{ id: string }>(sql`
    select v.id from vms v
    where v.host_id = ${hostId}::uuid and v.power in ('running', 'paused') and v.error is null and exists (
      select 1 from findings f where f.vm_id = v.id and f.ended_at is null and not f.acknowledged
        and (f.body -> 'remedies') ?| array['redefine', 'heal'])`);
  return rows.rows.map((row) => row.id);
}
