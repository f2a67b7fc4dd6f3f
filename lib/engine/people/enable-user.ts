import { changeUser } from "#db/index.ts";
import type { Context } from "../state.ts";
import { requireOther, viewOf } from "./users.ts";
import { changePeople } from "./write.ts";

export function enableUser(context: Context, { userId }: { userId: string }) {
  return changePeople(context, "users.enable", async (tx) => {
    const user = await requireOther(context, tx, userId);
    const isNothing = user.disabledAt === null;
    if (!isNothing) await changeUser(tx, userId, { disabledAt: null });
    const result = await viewOf(context.engine, tx, userId);
    return {
      result,
      audit: { subject: userId, detail: isNothing ? `${user.email} is not disabled` : user.email, isNothing },
    };
  });
}
