import { and, desc, eq, gte, lt, sql } from "drizzle-orm";
import { readSubjectNames } from "./audit-names.ts";
import { iso, type Reader } from "./client.ts";
import { auditLog, jobs, plans, vms } from "./schema/index.ts";
import { idsOf, type Scope } from "./scope.ts";

export type AuditEntry = {
  actor: string;
  role: string | null;
  action: string;
  subject: string | null;
  /** `unchanged`: what was asked for was so already. */
  outcome: "done" | "unchanged" | "refused" | "failed";
  detail: string | null;
  traceId: string | null;
  planId?: string | null;
  jobId?: string | null;
  /** Given by the person. */
  reason?: string | null;
};

export async function writeAudit(tx: Reader, entry: AuditEntry): Promise<void> {
  await tx.insert(auditLog).values(entry);
}

const isAbout = (scope: readonly string[], own: string) => sql`(
  ${auditLog.actor} = ${own}
  or ${auditLog.subject} = any(${idsOf(scope)}::text[])
  or ${auditLog.subject} in (select v.id::text from ${vms} v where v.host_id = any(${idsOf(scope)}))
  or ${auditLog.jobId} in (select j.id from ${jobs} j join ${vms} v on v.id = j.vm_id where v.host_id = any(${idsOf(scope)}))
  or ${auditLog.planId} in (select p.id from ${plans} p join ${vms} v on v.id = p.vm_id where v.host_id = any(${idsOf(scope)}))
)`;

/** Newest first; `before` is the id of the last row of the page before. */
export async function listAudit(
  db: Reader,
  query: {
    subject?: string;
    actor?: string;
    action?: string;
    jobId?: string;
    outcome?: AuditEntry["outcome"];
    /** ISO times: from then on, and before that. */
    from?: string;
    to?: string;
    before: number | null;
    limit: number;
    /** Only entries about these hosts and their VMs, and what `own` did itself. */
    scope?: Scope;
    own?: string;
  },
) {
  const filters = and(
    query.subject === undefined ? undefined : eq(auditLog.subject, query.subject),
    query.actor === undefined ? undefined : eq(auditLog.actor, query.actor),
    query.action === undefined ? undefined : eq(auditLog.action, query.action),
    query.jobId === undefined ? undefined : eq(auditLog.jobId, query.jobId),
    query.outcome === undefined ? undefined : eq(auditLog.outcome, query.outcome),
    query.from === undefined ? undefined : gte(auditLog.at, new Date(query.from)),
    query.to === undefined ? undefined : lt(auditLog.at, new Date(query.to)),
    query.scope ? isAbout(query.scope, query.own ?? "") : undefined,
  );
  const rows = await db
    .select()
    .from(auditLog)
    .where(and(filters, query.before === null ? undefined : lt(auditLog.id, query.before)))
    .orderBy(desc(auditLog.id))
    .limit(query.limit + 1);
  const [count] = await db.select({ n: sql<number>`count(*)::int` }).from(auditLog).where(filters);
  const names = await readSubjectNames(
    db,
    rows.flatMap(({ subject }) => subject ?? []),
    query.scope,
  );
  const items = rows.slice(0, query.limit).map((row) => {
    const called = names.get(row.subject ?? "");
    return { ...row, subjectName: called?.name ?? null, subjectKind: called?.kind ?? null, at: iso(row.at) };
  });
  return { items, more: rows.length > query.limit, total: count?.n ?? 0 };
}
