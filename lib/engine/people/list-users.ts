import { z } from "zod";
import { listUsers as find } from "#db/index.ts";
import { cursorText, decodeCursor, encodeCursor } from "../cursor.ts";
import type { Context } from "../state.ts";
import { toUserView } from "./users.ts";

/** People by e-mail address. */
export async function listUsers({ engine }: Context, { cursor, limit }: { cursor?: string; limit: number }) {
  const after = decodeCursor(cursor, "users", z.tuple([cursorText]))?.[0] ?? null;
  const { items, more, total } = await find(engine.db.orm, { after, limit });
  const last = items.at(-1);
  return {
    items: items.map((user) => toUserView(engine, user)),
    nextCursor: more && last ? encodeCursor("users", [last.email]) : null,
    total,
  };
}
