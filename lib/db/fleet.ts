/** The fleet list: rows, counts per axis and the total, all from the same expressions so that they cannot disagree. */
import { type SQL, sql } from "drizzle-orm";
import type { Agreement, FindingKind, Freshness, NextBackup, ObserveError, Power } from "../chain/model.ts";
import { type Reader, toIso, toIsoOrNull } from "./client.ts";
import type { KindSummary } from "./schema/index.ts";
import { idsOf, type Scope } from "./scope.ts";

export const FLEET_SORTS = [
  "name",
  "-name",
  "severity",
  "host",
  "observed",
  "-observed",
  "checkpoints",
  "-checkpoints",
] as const;
export type FleetSort = (typeof FLEET_SORTS)[number];

/** Ages in seconds up to which an observation is fresh, and up to which it is ageing. */
export type FreshnessLimits = { freshSeconds: number; staleSeconds: number };

export type FleetQuery = {
  q?: string;
  host?: string;
  agreement?: Agreement;
  nextBackup?: NextBackup;
  freshness?: Freshness;
  kind?: FindingKind;
  sort: FleetSort;
  /** Sort values of the last row of the page before, its id last. */
  after: (string | number | null)[] | null;
  limit: number;
  /** Only VMs of these hosts, in the counts too; null or absent: all. */
  scope?: Scope;
};

export type FleetRow = {
  id: string;
  name: string;
  hostId: string | null;
  hostName: string | null;
  simulated: boolean;
  power: Power;
  agreement: Agreement;
  nextBackup: NextBackup;
  /** What the newest complete read said, whatever its age. */
  lastKnown: { agreement: Agreement; nextBackup: NextBackup };
  freshness: Freshness;
  observedAt: string | null;
  error: ObserveError | null;
  kinds: KindSummary[];
  checkpoints: number;
  disks: number;
  lastBackup: { kind: "full" | "incremental" | "mixed"; bytes: number | null; at: string } | null;
  job: { id: string; kind: string; startedAt: string } | null;
};

/** `freshnessOf` of `lib/chain`, of a VM `v` and its host `h`. */
const freshnessSql = (limits: FreshnessLimits): SQL => sql`case
  when v.host_id is not null and (h.state = 'offline' or not h.configured) then 'offline'
  when v.error is not null or v.observed_at is null then 'stale'
  when v.observed_at < now() - make_interval(secs => ${limits.staleSeconds}) then 'stale'
  when v.observed_at < now() - make_interval(secs => ${limits.freshSeconds}) then 'ageing'
  else 'fresh' end`;

/** Every VM with the axes as they are shown: of what is stale, offline or could not be read nothing is known now. */
const shown = (limits: FreshnessLimits): SQL => sql`
  select s.*,
    case when s.checking then 'checking' when s.is_past then 'unknown' else s.agreement end as shown_agreement,
    case when s.is_past then 'unknown' else s.next_backup end as shown_next_backup
  from (
    select f.*, f.freshness in ('stale', 'offline') as is_past from (
    select v.*, h.name as host_name, h.kind as host_kind, ${freshnessSql(limits)} as freshness,
      v.id in (select j.vm_id from jobs j where j.state in ('queued', 'running')) as checking
    from vms v left join hosts h on h.id = v.host_id
    ) f
  ) s`;

/** `like` with the person's wildcards taken literally. */
const literal = (text: string) => text.replaceAll(/[\\%_]/g, (c) => `\\${c}`);

const ORDER: Record<FleetSort, { keys: SQL[]; down: boolean }> = {
  name: { keys: [sql`s.name`], down: false },
  "-name": { keys: [sql`s.name`], down: true },
  severity: { keys: [sql`s.severity_rank::int`, sql`s.name`], down: false },
  host: { keys: [sql`coalesce(s.host_name, '')`, sql`s.name`], down: false },
  observed: { keys: [sql`coalesce(extract(epoch from s.observed_at) * 1000, 0)::bigint`], down: false },
  "-observed": { keys: [sql`coalesce(extract(epoch from s.observed_at) * 1000, 0)::bigint`], down: true },
  checkpoints: { keys: [sql`s.checkpoint_count::int`], down: false },
  "-checkpoints": { keys: [sql`s.checkpoint_count::int`], down: true },
};
/** How many sort values a cursor of this sort carries before the id, and of which type. */
export const CURSOR_TYPES: Record<FleetSort, ("string" | "number")[]> = {
  name: ["string"],
  "-name": ["string"],
  severity: ["number", "string"],
  host: ["string", "string"],
  observed: ["number"],
  "-observed": ["number"],
  checkpoints: ["number"],
  "-checkpoints": ["number"],
};

const and = (parts: (SQL | undefined)[]): SQL => {
  const some = parts.filter((part) => part !== undefined);
  return some.length === 0 ? sql`true` : sql.join(some, sql` and `);
};

function filtersOf(query: FleetQuery) {
  const q = query.q?.trim();
  return {
    scope: and([
      q ? sql`(s.name ilike ${`%${literal(q)}%`} or s.id::text like ${`${literal(q.toLowerCase())}%`})` : undefined,
      query.host ? sql`s.host_id = ${query.host}::uuid` : undefined,
      query.scope ? sql`s.host_id = any(${idsOf(query.scope)})` : undefined,
    ]),
    agreement: query.agreement ? sql`s.shown_agreement = ${query.agreement}` : sql`true`,
    nextBackup: query.nextBackup ? sql`s.shown_next_backup = ${query.nextBackup}` : sql`true`,
    freshness: query.freshness ? sql`s.freshness = ${query.freshness}` : sql`true`,
    kind: query.kind ? sql`s.kind_names @> array[${query.kind}]::text[]` : sql`true`,
  };
}

type RawRow = Record<string, unknown>;

function toRow(row: RawRow): FleetRow {
  return {
    id: row.id as string,
    name: row.name as string,
    hostId: row.host_id as string | null,
    hostName: row.host_name as string | null,
    simulated: row.host_kind === "simulated",
    power: row.power as Power,
    agreement: row.shown_agreement as Agreement,
    nextBackup: row.shown_next_backup as NextBackup,
    lastKnown: { agreement: row.agreement as Agreement, nextBackup: row.next_backup as NextBackup },
    freshness: row.freshness as Freshness,
    observedAt: toIsoOrNull(row.observed_at),
    error: row.error as ObserveError | null,
    kinds: row.kinds as KindSummary[],
    checkpoints: row.checkpoint_count as number,
    disks: row.disk_count as number,
    lastBackup: row.backup_kind
      ? {
          kind: row.backup_kind as "full" | "incremental" | "mixed",
          bytes: row.backup_bytes === null ? null : Number(row.backup_bytes),
          at: toIso(row.backup_at),
        }
      : null,
    job: row.job_id ? { id: row.job_id as string, kind: row.job_kind as string, startedAt: toIso(row.job_at) } : null,
  };
}

const besides = sql`
  left join lateral (
    select b.kind as backup_kind, b.bytes as backup_bytes, coalesce(b.ended_at, b.started_at) as backup_at
    from vm_backups b where b.vm_id = p.id and b.state = 'finished' order by b.started_at desc limit 1
  ) b on true
  left join lateral (
    select j.id as job_id, j.kind as job_kind, coalesce(j.started_at, j.created_at) as job_at
    from jobs j where j.vm_id = p.id and j.state in ('queued', 'running') order by j.created_at desc limit 1
  ) j on true`;

/** One VM's row with its axes as the list shows them. */
export async function getFleetRow(db: Reader, vmId: string, limits: FreshnessLimits): Promise<FleetRow | null> {
  const found = await db.execute<RawRow>(
    sql`select p.*, b.*, j.* from (select * from (${shown(limits)}) s where s.id = ${vmId}::uuid) p ${besides}`,
  );
  const row = found.rows[0];
  return row ? toRow(row) : null;
}

/** A page of rows; `next` are the sort values of its last row when there are more. */
async function fleetPage(db: Reader, query: FleetQuery, limits: FreshnessLimits) {
  const by = filtersOf(query);
  const order = ORDER[query.sort];
  const keys = [...order.keys, sql`s.id`];
  const direction = order.down ? sql.raw(" desc") : sql.raw(" asc");
  const types = [...CURSOR_TYPES[query.sort].map((type) => (type === "number" ? "bigint" : "text")), "uuid"];
  const after = query.after
    ? sql`(${sql.join(keys, sql`, `)}) ${sql.raw(order.down ? "<" : ">")} (${sql.join(
        query.after.map((value, i) => sql`${value}::${sql.raw(types[i] ?? "text")}`),
        sql`, `,
      )})`
    : undefined;
  const where = and([by.scope, by.agreement, by.nextBackup, by.freshness, by.kind, after]);
  const named = order.keys.map((key, i) => sql`${key} as ${sql.raw(`key_${i}`)}`);
  const ordered = (alias: string) =>
    sql.join(
      [...order.keys.map((_, i) => `${alias}.key_${i}`), `${alias}.id`].map((key) => sql`${sql.raw(key)}${direction}`),
      sql`, `,
    );
  const found = await db.execute<RawRow>(sql`
    select p.*, b.*, j.* from (
      select s.*, ${sql.join(named, sql`, `)} from (${shown(limits)}) s where ${where}
      order by ${sql.join(
        keys.map((key) => sql`${key}${direction}`),
        sql`, `,
      )}
      limit ${query.limit + 1}
    ) p ${besides} order by ${ordered("p")}`);
  const rows = found.rows.slice(0, query.limit);
  const last = rows.at(-1);
  const more = found.rows.length > query.limit && last !== undefined;
  const next = more
    ? [
        ...CURSOR_TYPES[query.sort].map((type, i) =>
          type === "number" ? Number(last[`key_${i}`]) : String(last[`key_${i}`]),
        ),
        last.id as string,
      ]
    : null;
  return { rows: rows.map(toRow), next };
}

/** Counts along each axis with the filters of the other axes applied, and the total with all of them. */
async function fleetCounts(db: Reader, query: FleetQuery, limits: FreshnessLimits) {
  const by = filtersOf(query);
  // One pass over the fleet: VMs with equal axes and kinds are counted together, and there are few such groups.
  const found = await db.execute<RawRow>(sql`
    select s.shown_agreement as a, s.shown_next_backup as n, s.freshness as f, s.kind_names as k,
      ${by.agreement} as in_a, ${by.nextBackup} as in_n, ${by.freshness} as in_f, ${by.kind} as in_k, count(*)::int as count
    from (${shown(limits)}) s where ${by.scope} group by 1, 2, 3, 4, 5, 6, 7, 8`);
  const counts = {
    total: 0,
    agreement: {} as Record<string, number>,
    nextBackup: {} as Record<string, number>,
    freshness: {} as Record<string, number>,
    kind: {} as Record<string, number>,
  };
  const add = (to: Record<string, number>, key: unknown, n: number) => {
    to[key as string] = (to[key as string] ?? 0) + n;
  };
  for (const row of found.rows) {
    const n = row.count as number;
    if (row.in_n && row.in_f && row.in_k) add(counts.agreement, row.a, n);
    if (row.in_a && row.in_f && row.in_k) add(counts.nextBackup, row.n, n);
    if (row.in_a && row.in_n && row.in_k) add(counts.freshness, row.f, n);
    if (row.in_a && row.in_n && row.in_f) for (const kind of row.k as string[]) add(counts.kind, kind, n);
    if (row.in_a && row.in_n && row.in_f && row.in_k) counts.total += n;
  }
  return counts;
}

/** Rows and counts of one moment: both come from the same snapshot. */
export async function listFleet(
  db: {
    transaction: <T>(
      work: (tx: Reader) => Promise<T>,
      config?: { isolationLevel: "repeatable read"; accessMode: "read only" },
    ) => Promise<T>;
  },
  query: FleetQuery,
  limits: FreshnessLimits,
) {
  return db.transaction(
    async (tx) => ({ ...(await fleetPage(tx, query, limits)), counts: await fleetCounts(tx, query, limits) }),
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}
