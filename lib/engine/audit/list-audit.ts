import { z } from "zod";
import { ROLES } from "#contract/engine.ts";
import { listAudit as find } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { cursorNumber, decodeCursor, encodeCursor } from "../cursor.ts";
import { scopeOf } from "../scope.ts";
import type { Context } from "../state.ts";

/** Who did what, newest first. */
export async function listAudit(
  context: Context,
  { cursor, ...query }: Omit<Parameters<typeof find>[1], "before" | "scope" | "own"> & { cursor?: string },
) {
  const before = decodeCursor(cursor, "audit", z.tuple([cursorNumber]))?.[0] ?? null;
  const { items, more, total } = await find(context.engine.db.orm, {
    ...query,
    before,
    scope: scopeOf(context),
    own: actorName(context.actor),
  });
  const last = items.at(-1);
  return {
    items: items.map((row) => ({ ...row, id: String(row.id), role: ROLES.find((role) => role === row.role) ?? null })),
    nextCursor: more && last ? encodeCursor("audit", [last.id]) : null,
    total,
  };
}
