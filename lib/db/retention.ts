/**
 * What is forgotten when it is old. Never: plans, backups and their proofs, the audit, the record, what stands now, and
 * what a later judgement rests on – see lib/decisions/what-is-forgotten.md.
 */
import { asc, gt, sql } from "drizzle-orm";
import type { Reader, Tx } from "./client.ts";
import { vms } from "./schema/index.ts";

/** Older than these goes. null: kept for ever. */
export type KeepSince = { observations: Date | null; samples: Date | null; findings: Date | null; jobs: Date | null };
export type Forgotten = { observations: number; samples: number; identities: number; findings: number; jobs: number };

/** Clean-ups and policy look back at what was tried before, at most so far. */
const JOBS_LOOKED_BACK_AT = 20;

/** Ids of VMs in their order, after one. */
export async function listVmIds(db: Reader, after: string | null, limit: number): Promise<string[]> {
  const rows = await db
    .select({ id: vms.id })
    .from(vms)
    .where(after === null ? undefined : gt(vms.id, after))
    .orderBy(asc(vms.id))
    .limit(limit);
  return rows.map((row) => row.id);
}

/**
 * Removes at most `limit` old rows of each kind of one VM. null: the VM is being written to or has a job, and its turn
 * comes another time.
 */
export async function forgetOld(tx: Tx, vmId: string, keep: KeepSince, limit: number): Promise<Forgotten | null> {
  const free = await tx.execute(sql`
    select 1 from vms v where v.id = ${vmId}::uuid
      and not exists (select 1 from jobs j where j.vm_id = v.id and j.state in ('queued', 'running'))
    for update of v skip locked`);
  if (free.rows.length === 0) return null;
  const run = async (since: Date | null, statement: (at: string) => ReturnType<typeof sql>) =>
    since === null ? 0 : ((await tx.execute(statement(since.toISOString()))).rowCount ?? 0);
  return {
    observations: await run(keep.observations, (at) => oldObservations(vmId, at, limit)),
    samples: await run(keep.samples, (at) => oldSamples(vmId, at, limit)),
    identities: await run(keep.samples, (at) => oldIdentities(vmId, at, limit)),
    findings: await run(keep.findings, (at) => endedFindings(vmId, at, limit)),
    jobs: await run(keep.jobs, (at) => endedJobs(vmId, at, limit)),
  };
}

/** Not one that a VM or a host shows now, however long nothing has changed since. */
const oldObservations = (vmId: string, at: string, limit: number) => sql`
  delete from observations where id in (
    select o.id from observations o
    where o.vm_id = ${vmId}::uuid and o.last_seen_at < ${at}::timestamptz
      and not exists (select 1 from vms v where v.observation_id = o.id)
      and not exists (select 1 from vm_presence p where p.observation_id = o.id)
    limit ${limit})`;

/**
 * A rewind is found by comparing with the newest count of any earlier run. Whichever run that is, it is the newest of
 * all or the newest of another run than that one: these two stay for each bitmap and layer.
 */
const oldSamples = (vmId: string, at: string, limit: number) => sql`
  delete from dirty_samples where id in (
    select r.id from (
      select s.*,
        max(s.id) over key as newest_id,
        max(case when s.runtime_id is distinct from s.newest_run then s.id end) over key as newest_of_another_run
      from (
        select id, at, disk_id, bitmap, layer_path, runtime_id,
          first_value(runtime_id) over (partition by disk_id, bitmap, layer_path order by id desc) as newest_run
        from dirty_samples where vm_id = ${vmId}::uuid
      ) s
      window key as (partition by s.disk_id, s.bitmap, s.layer_path)
    ) r
    where r.at < ${at}::timestamptz and r.id <> r.newest_id and r.id is distinct from r.newest_of_another_run
    limit ${limit})`;

/** The newest of each disk on each host says whether the next one is another image. */
const oldIdentities = (vmId: string, at: string, limit: number) => sql`
  delete from identity_samples where id in (
    select i.id from identity_samples i join disks d on d.id = i.disk_id
    where d.vm_id = ${vmId}::uuid and i.at < ${at}::timestamptz and exists (
      select 1 from identity_samples n where n.disk_id = i.disk_id and n.host_id = i.host_id and n.id > i.id)
    limit ${limit})`;

const endedFindings = (vmId: string, at: string, limit: number) => sql`
  delete from findings where id in (
    select f.id from findings f
    where f.vm_id = ${vmId}::uuid and f.ended_at is not null and f.ended_at < ${at}::timestamptz
    limit ${limit})`;

/** With their steps. Not those that somebody looks back at, nor those that made a checkpoint which is still recorded. */
const endedJobs = (vmId: string, at: string, limit: number) => sql`
  with old as (
    select r.id from (
      select j.id, j.ended_at,
        row_number() over (partition by j.kind, j.actor = 'driftline' order by j.created_at desc, j.id desc) as place
      from jobs j where j.vm_id = ${vmId}::uuid and j.state not in ('queued', 'running')
    ) r
    where r.ended_at < ${at}::timestamptz and r.place > ${JOBS_LOOKED_BACK_AT}
      and not exists (select 1 from vm_leases l where l.job_id = r.id)
      and not exists (
        select 1 from vm_backups b where b.vm_id = ${vmId}::uuid and b.job_id = r.id and (b.state = 'running' or exists (
          select 1 from vm_checkpoints c where c.vm_id = b.vm_id and c.checkpoint_id = b.checkpoint_id)))
    limit ${limit}),
  steps as (delete from job_steps where job_id in (select id from old))
  delete from jobs where id in (select id from old)`;
