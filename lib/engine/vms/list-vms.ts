import type { z } from "zod";
import { z as zod } from "zod";
import { AGREEMENTS, type FindingKind, FRESHNESSES, NEXT_BACKUPS, type Severity } from "#chain/model.ts";
import type { VmQuery, VmRow } from "#contract/engine-vms.ts";
import { CURSOR_TYPES, type FleetRow, listFleet } from "#db/index.ts";
import { cursorNumber, cursorText, decodeCursor, encodeCursor } from "../cursor.ts";
import { scopeOf } from "../scope.ts";
import { type Context, freshnessLimits } from "../state.ts";

export function toVmRow(row: FleetRow): VmRow {
  const { agreement, nextBackup, freshness, kinds, ...rest } = row;
  return {
    ...rest,
    axes: { agreement, nextBackup, freshness },
    kinds: kinds.map((item) => ({
      kind: item.kind as FindingKind,
      severity: item.severity as Severity,
      count: item.count,
    })),
  };
}

const fill = <K extends string>(keys: readonly K[], counts: Record<string, number>) =>
  Object.fromEntries(keys.map((key) => [key, counts[key] ?? 0])) as Record<K, number>;

function afterShape(sort: VmQuery["sort"]): z.ZodType<(string | number)[]> {
  const values = CURSOR_TYPES[sort].map((type) => (type === "number" ? cursorNumber : cursorText));
  return zod.tuple([...values, zod.uuid()] as unknown as [z.ZodType<string | number>]) as unknown as z.ZodType<
    (string | number)[]
  >;
}

/** Rows of one page, the total, and the counts along each axis with the filters of the others applied. */
export async function listVms(context: Context, query: VmQuery) {
  const { engine } = context;
  const kind = `vms:${query.sort}`;
  const after = decodeCursor(query.cursor, kind, afterShape(query.sort));
  const page = await listFleet(
    engine.db.orm,
    { ...query, after, scope: scopeOf(context) },
    freshnessLimits(engine.config),
  );
  return {
    items: page.rows.map(toVmRow),
    nextCursor: page.next ? encodeCursor(kind, page.next) : null,
    total: page.counts.total,
    counts: {
      agreement: fill(AGREEMENTS, page.counts.agreement),
      nextBackup: fill(NEXT_BACKUPS, page.counts.nextBackup),
      freshness: fill(FRESHNESSES, page.counts.freshness),
      kind: page.counts.kind as Partial<Record<FindingKind, number>>,
    },
  };
}
