/** VMs, and what each host says of them. */
import { and, desc, eq, inArray, notInArray, sql } from "drizzle-orm";
import type {
  Agreement,
  DirtyCount,
  DiskVerdict,
  NextBackup,
  Observation,
  ObserveError,
  Power,
} from "../chain/model.ts";
import { iso, isoOrNull, type Reader, type Tx } from "./client.ts";
import { hosts, type KindSummary, observations, vmPresence, vms } from "./schema/index.ts";

export type VmState = Awaited<ReturnType<typeof getVm>>;

/** The VM's own row. */
export async function getVm(db: Reader, vmId: string) {
  const [vm] = await db.select().from(vms).where(eq(vms.id, vmId));
  if (!vm) return null;
  return {
    ...vm,
    firstSeenAt: iso(vm.firstSeenAt),
    observedAt: isoOrNull(vm.observedAt),
    triedAt: isoOrNull(vm.triedAt),
  };
}

/** Makes the VM known if it is not, and holds its row until the transaction ends: one writer a VM at a time. */
export async function lockVm(tx: Tx, vm: { id: string; name?: string }) {
  if (vm.name !== undefined) await tx.insert(vms).values({ id: vm.id, name: vm.name }).onConflictDoNothing();
  const [row] = await tx.select().from(vms).where(eq(vms.id, vm.id)).for("update");
  return row ?? null;
}

export type Presence = {
  vmId: string;
  hostId: string;
  hostName: string;
  hostOffline: boolean;
  power: Power;
  runtimeId: string | null;
  activeSince: string | null;
  observationId: number | null;
  digest: string | null;
  countsDigest: string | null;
  counts: DirtyCount[];
  observedAt: string | null;
  triedAt: string;
  error: ObserveError | null;
};

/**
 * What each host says of the VM. Of a host that was retired or taken out nobody can say whether it still runs there:
 * that it did is history.
 */
export async function listPresence(db: Reader, vmId: string): Promise<Presence[]> {
  const rows = await db
    .select({ p: vmPresence, hostName: hosts.name, state: hosts.state, configured: hosts.configured })
    .from(vmPresence)
    .innerJoin(hosts, eq(hosts.id, vmPresence.hostId))
    .where(eq(vmPresence.vmId, vmId))
    .orderBy(desc(vmPresence.observedAt), vmPresence.hostId);
  return rows.map(({ p, hostName, state, configured }) => ({
    ...p,
    hostName,
    hostOffline: state === "offline" || !configured,
    power: configured || p.power === "absent" ? p.power : "unknown",
    activeSince: configured ? isoOrNull(p.activeSince) : null,
    observedAt: isoOrNull(p.observedAt),
    triedAt: iso(p.triedAt),
  }));
}

/** Stores a complete read, one row per digest and host. Returns the row's id. */
export async function saveObservation(tx: Tx, hostId: string, observation: Observation): Promise<number> {
  const seen = new Date(observation.observedAt);
  const [row] = await tx
    .insert(observations)
    .values({
      vmId: observation.vmId,
      hostId,
      digest: observation.digest,
      body: observation,
      firstSeenAt: seen,
      lastSeenAt: seen,
    })
    // Same digest: the same in all that matters. The newer body carries the newer counts and job progress.
    .onConflictDoUpdate({
      target: [observations.vmId, observations.hostId, observations.digest],
      set: { body: observation, lastSeenAt: sql`greatest(${observations.lastSeenAt}, excluded.last_seen_at)` },
    })
    .returning({ id: observations.id });
  if (!row) throw new Error("an observation was not stored");
  return row.id;
}

export async function savePresence(
  tx: Tx,
  presence: {
    vmId: string;
    hostId: string;
    power: Power;
    runtimeId: string | null;
    activeSince: Date | null;
    observationId: number | null;
    digest: string | null;
    countsDigest: string | null;
    counts: DirtyCount[];
    observedAt: Date | null;
    triedAt: Date;
  },
): Promise<void> {
  const { power, runtimeId, activeSince, observationId, digest, countsDigest, counts, observedAt, triedAt } = presence;
  const values = { power, runtimeId, activeSince, observationId, digest, countsDigest, counts, observedAt, triedAt };
  await tx
    .insert(vmPresence)
    .values({ vmId: presence.vmId, hostId: presence.hostId, ...values, error: null })
    .onConflictDoUpdate({ target: [vmPresence.vmId, vmPresence.hostId], set: { ...values, error: null } });
}

/** A read failed: what was read before stays, only the attempt and its reason are noted. */
export async function savePresenceError(
  tx: Tx,
  vmId: string,
  hostId: string,
  at: Date,
  error: ObserveError,
): Promise<void> {
  await tx
    .insert(vmPresence)
    .values({ vmId, hostId, power: "unknown", triedAt: at, error })
    .onConflictDoUpdate({ target: [vmPresence.vmId, vmPresence.hostId], set: { triedAt: at, error } });
}

/** The body of a stored read, or null. */
export async function getObservation(db: Reader, id: number): Promise<Observation | null> {
  const [row] = await db.select({ body: observations.body }).from(observations).where(eq(observations.id, id));
  return row?.body ?? null;
}

/** Where the bitmaps of a stored read were read. */
export async function readSource(db: Reader, id: number): Promise<Observation["source"] | null> {
  const source = sql<Observation["source"]>`${observations.body} ->> 'source'`;
  const [row] = await db.select({ source }).from(observations).where(eq(observations.id, id));
  return row?.source ?? null;
}

export type VmSummary = {
  name: string;
  hostId: string | null;
  power: Power;
  persistent: boolean;
  runtimeId: string | null;
  observationId: number | null;
  observedAt: Date | null;
  triedAt: Date | null;
  error: ObserveError | null;
  agreement: Agreement;
  nextBackup: NextBackup;
  verdicts: DiskVerdict[];
  kinds: KindSummary[];
  severityRank: number;
  diskCount: number;
};

/** Writes the summary that the fleet list reads, in the transaction that wrote the findings. */
export async function saveSummary(tx: Tx, vmId: string, summary: Partial<VmSummary>): Promise<void> {
  const kindNames = summary.kinds ? { kindNames: summary.kinds.map((kind) => kind.kind) } : {};
  await tx
    .update(vms)
    .set({ ...summary, ...kindNames })
    .where(eq(vms.id, vmId));
}

/**
 * Notes that VMs are as they were: their reads are as new as `at`. One statement for a whole sweep. Only where the host's
 * last attempt worked and what it showed is still what was found unchanged, and no newer read came in between: the notes of
 * a sweep are written late. A time ahead of `now` says nothing of which is newer, and gives way.
 */
export async function touchUnchanged(
  tx: Tx,
  hostId: string,
  reads: { vmId: string; digest: string }[],
  at: Date,
  now = new Date(),
): Promise<void> {
  if (reads.length === 0) return;
  const ids = sql`${sql.param(reads.map(({ vmId }) => vmId))}::uuid[]`;
  const digests = sql`${sql.param(reads.map(({ digest }) => digest))}::text[]`;
  const time = sql`${at.toISOString()}::timestamptz`;
  // VM before presence, as whoever writes one read does: the other way round the two wait for each other for ever.
  await tx.execute(sql`select from vms where id = any(${ids}) order by id for no key update`);
  await tx.execute(sql`
    with touched as (
      update vm_presence p set observed_at = ${time}, tried_at = ${time}
      from unnest(${ids}, ${digests}) as r(vm_id, digest)
      where p.host_id = ${hostId}::uuid and p.vm_id = r.vm_id and p.digest = r.digest and p.error is null
        and (p.observed_at < ${time} or p.observed_at > ${now.toISOString()}::timestamptz)
      returning p.vm_id)
    update vms v set observed_at = ${time}, tried_at = ${time}
    from touched t where v.id = t.vm_id and v.host_id = ${hostId}::uuid`);
}

/** VMs that a host was last seen to have, but that are not in its complete list. */
export async function listVanished(db: Reader, hostId: string, present: string[]): Promise<string[]> {
  const rows = await db
    .select({ vmId: vmPresence.vmId })
    .from(vmPresence)
    .where(
      and(
        eq(vmPresence.hostId, hostId),
        sql`${vmPresence.power} <> 'absent'`,
        present.length > 0 ? notInArray(vmPresence.vmId, present) : undefined,
      ),
    );
  return rows.map((row) => row.vmId);
}

/**
 * Of these, the ones whose summary cannot be carried over without looking: an error stands, a job holds them, this host
 * runs them while another one speaks for them, or what the other one said has lost its weight since (it was retired).
 */
export async function listRestless(db: Reader, hostId: string, vmIds: string[]): Promise<string[]> {
  if (vmIds.length === 0) return [];
  const rows = await db.execute<{ id: string }>(sql`
    select v.id from vms v left join observations o on o.id = v.observation_id
    where v.id = any(${sql.param(vmIds)}::uuid[]) and ('vm.two-hosts' = any(v.kind_names)
      or exists (select 1 from hosts h where h.id = v.host_id and not h.configured)
      or v.host_id <> ${hostId}::uuid and exists (select 1 from vm_presence p
        where p.vm_id = v.id and p.host_id = ${hostId}::uuid and p.power in ('running', 'paused'))
      or v.host_id = ${hostId}::uuid and (
      v.error is not null or v.agreement in ('unknown', 'checking')
      or coalesce(o.body #>> '{job,value,operation}', 'none') <> 'none'
      or exists (select 1 from vm_backups b where b.vm_id = v.id and b.state = 'running')))`);
  return rows.rows.map((row) => row.id);
}

/** Which of these VMs are known. */
export async function knownVms(db: Reader, vmIds: string[]): Promise<Set<string>> {
  if (vmIds.length === 0) return new Set();
  const rows = await db.select({ id: vms.id }).from(vms).where(inArray(vms.id, vmIds));
  return new Set(rows.map((row) => row.id));
}

/** How many VMs the fleet has, by agreement, for the metrics. */
export async function countByAgreement(db: Reader): Promise<{ agreement: string; n: number }[]> {
  return db.select({ agreement: vms.agreement, n: sql<number>`count(*)::int` }).from(vms).groupBy(vms.agreement);
}

/** What a plan for the VM would stand on now, by the newest read: one small row, no body of an observation. */
export async function readGround(db: Reader, vmId: string) {
  const [row] = await db
    .select({
      recordRevision: vms.revision,
      observationDigest: sql<string>`coalesce(${observations.digest}, '')`,
      hostId: vms.hostId,
      runtimeId: vms.runtimeId,
    })
    .from(vms)
    .leftJoin(observations, eq(observations.id, vms.observationId))
    .where(eq(vms.id, vmId));
  return row ?? null;
}

/** The read with this digest, as it was first or last stored; null when it is not kept. */
export async function findObservation(
  db: Reader,
  read: { vmId: string; hostId: string; digest: string },
): Promise<Observation | null> {
  const [row] = await db
    .select({ body: observations.body })
    .from(observations)
    .where(
      and(eq(observations.vmId, read.vmId), eq(observations.hostId, read.hostId), eq(observations.digest, read.digest)),
    );
  return row?.body ?? null;
}
