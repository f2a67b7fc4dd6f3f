import type { Context } from "../state.ts";
import { requirePerson } from "./sessions.ts";
import { viewOf } from "./users.ts";

/** The signed-in person. */
export async function getAccount(context: Context) {
  const { userId } = requirePerson(context);
  const { email, name, role, signsInBy, configured } = await viewOf(context.engine, context.engine.db.orm, userId);
  return { email, name, role, signsInBy, configured };
}
