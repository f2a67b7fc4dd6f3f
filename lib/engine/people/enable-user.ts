import { changeUser } from "#db/index.ts";
import type { Context } from "../state.ts";
import { requireOther, viewOf } from "./users.ts";
import { changePeople } from "./write.ts";

export function enableUser(context: Context, { userId }: { userId: string }) {
  return changePeople(context, "users.enable", async (tx) => {
    const user = await requireOther(context, tx, userId);
    await changeUser(tx, userId, { disabledAt: null });
    const result = await viewOf(context.engine, tx, userId);
    return { result, audit: { subject: userId, detail: user.email } };
  });
}
