import { and, desc, eq, lt, sql } from "drizzle-orm";
import { iso, type Reader } from "./client.ts";
import { auditLog } from "./schema/index.ts";

export type AuditEntry = {
  actor: string;
  role: string | null;
  action: string;
  subject: string | null;
  outcome: "done" | "refused" | "failed";
  detail: string | null;
  traceId: string | null;
};

export async function writeAudit(tx: Reader, entry: AuditEntry): Promise<void> {
  await tx.insert(auditLog).values(entry);
}

/** Newest first; `before` is the id of the last row of the page before. */
export async function listAudit(
  db: Reader,
  query: { subject?: string; actor?: string; before: number | null; limit: number },
) {
  const filters = and(
    query.subject === undefined ? undefined : eq(auditLog.subject, query.subject),
    query.actor === undefined ? undefined : eq(auditLog.actor, query.actor),
  );
  const rows = await db
    .select()
    .from(auditLog)
    .where(and(filters, query.before === null ? undefined : lt(auditLog.id, query.before)))
    .orderBy(desc(auditLog.id))
    .limit(query.limit + 1);
  const [count] = await db.select({ n: sql<number>`count(*)::int` }).from(auditLog).where(filters);
  const items = rows.slice(0, query.limit).map((row) => ({ ...row, at: iso(row.at) }));
  return { items, more: rows.length > query.limit, total: count?.n ?? 0 };
}
