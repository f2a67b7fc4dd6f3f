import { z } from "zod";
import { ROLES } from "#contract/engine.ts";
import { listAudit as find } from "#db/index.ts";
import { cursorNumber, decodeCursor, encodeCursor } from "../cursor.ts";
import type { Context } from "../state.ts";

/** Who did what, newest first. */
export async function listAudit(
  { engine }: Context,
  { cursor, ...query }: Omit<Parameters<typeof find>[1], "before"> & { cursor?: string },
) {
  const before = decodeCursor(cursor, "audit", z.tuple([cursorNumber]))?.[0] ?? null;
  const { items, more, total } = await find(engine.db.orm, { ...query, before });
  const last = items.at(-1);
  return {
    items: items.map((row) => ({ ...row, id: String(row.id), role: ROLES.find((role) => role === row.role) ?? null })),
    nextCursor: more && last ? encodeCursor("audit", [last.id]) : null,
    total,
  };
}
