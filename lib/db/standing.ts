/** Which findings stood at a time in the past. */
import { and, eq, gte, isNull, lte, or } from "drizzle-orm";
import type { Reader } from "./client.ts";
import { findings } from "./schema/index.ts";

/** Ids of the findings that stood when an observation was made; one that ended with that very read still stood before it. */
export async function listFindingsAt(db: Reader, vmId: string, at: string): Promise<Set<string>> {
  const when = new Date(at);
  const rows = await db
    .selectDistinct({ id: findings.findingId })
    .from(findings)
    .where(
      and(
        eq(findings.vmId, vmId),
        lte(findings.since, when),
        or(isNull(findings.endedAt), gte(findings.endedAt, when)),
      ),
    );
  return new Set(rows.map((row) => row.id));
}
