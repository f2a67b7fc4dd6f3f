/** Findings with their history: each keeps the time at which it was first seen for as long as it stands. */
import { and, asc, desc, eq, inArray, isNull, lt, sql } from "drizzle-orm";
import { type Finding, SEVERITIES, type Severity } from "../chain/model.ts";
import { iso, isoOrNull, type Reader, type Tx } from "./client.ts";
import { findings } from "./schema/index.ts";

export const NO_FINDING_RANK = 99;
export const severityRank = (severity: Severity): number => SEVERITIES.indexOf(severity);

export type OpenFinding = Finding & { since: string };

/** The findings that stand, worst first, then oldest first. */
export async function listOpenFindings(db: Reader, vmId: string): Promise<OpenFinding[]> {
  const rows = await db
    .select({ body: findings.body, since: findings.since })
    .from(findings)
    .where(and(eq(findings.vmId, vmId), isNull(findings.endedAt)))
    .orderBy(asc(findings.severityRank), asc(findings.since), asc(findings.findingId));
  return rows.map((row) => ({ ...row.body, since: iso(row.since) }));
}

/** Makes `current` the findings that stand: new ones begin at `at`, missing ones end at `at`, the others keep `since`. */
export async function replaceFindings(
  tx: Tx,
  vmId: string,
  current: Finding[],
  at: Date,
): Promise<{ began: number; ended: number }> {
  const open = await tx
    .select({ id: findings.id, findingId: findings.findingId, body: findings.body })
    .from(findings)
    .where(and(eq(findings.vmId, vmId), isNull(findings.endedAt)));
  const wanted = new Map(current.map((finding) => [finding.id, finding]));
  const gone = open.filter((row) => !wanted.has(row.findingId)).map((row) => row.id);
  if (gone.length > 0) await tx.update(findings).set({ endedAt: at }).where(inArray(findings.id, gone));
  const before = new Map(open.map((row) => [row.findingId, row]));
  const fresh = [...wanted.values()].filter((finding) => !before.has(finding.id));
  const values = (finding: Finding) => ({
    kind: finding.kind,
    severity: finding.severity,
    severityRank: severityRank(finding.severity),
    body: finding,
    acknowledged: finding.acknowledged,
  });
  for (let i = 0; i < fresh.length; i += 2_000) {
    await tx
      .insert(findings)
      .values(
        fresh.slice(i, i + 2_000).map((finding) => ({ vmId, findingId: finding.id, since: at, ...values(finding) })),
      );
  }
  for (const finding of wanted.values()) {
    const row = before.get(finding.id);
    // jsonb keeps no order of keys: compare what it would keep.
    if (row && canonical(row.body) !== canonical(finding)) {
      await tx.update(findings).set(values(finding)).where(eq(findings.id, row.id));
    }
  }
  return { began: fresh.length, ended: gone.length };
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** History, newest first; `before` is the id of the last row of the page before. */
export async function listFindingHistory(db: Reader, query: { vmId: string; before: number | null; limit: number }) {
  const rows = await db
    .select()
    .from(findings)
    .where(and(eq(findings.vmId, query.vmId), query.before === null ? undefined : lt(findings.id, query.before)))
    .orderBy(desc(findings.id))
    .limit(query.limit + 1);
  const [count] = await db
    .select({ n: sql<number>`count(*)::int` })
    .from(findings)
    .where(eq(findings.vmId, query.vmId));
  return {
    items: rows
      .slice(0, query.limit)
      .map((row) => ({ ...row.body, rowId: row.id, since: iso(row.since), endedAt: isoOrNull(row.endedAt) })),
    more: rows.length > query.limit,
    total: count?.n ?? 0,
  };
}
