import type { Role } from "#contract/engine.ts";
import { changeUser } from "#db/index.ts";
import type { Context } from "../state.ts";
import { assertNotLastAdmin, requireOther, viewOf } from "./users.ts";
import { changePeople } from "./write.ts";

/** Holds from the next request on, also within sessions that are open. */
export function setRole(context: Context, { userId, role }: { userId: string; role: Role }) {
  return changePeople(context, "users.setRole", async (tx) => {
    const user = await requireOther(context, tx, userId);
    if (role !== "admin") await assertNotLastAdmin(tx, user);
    const isNothing = user.role === role;
    if (!isNothing) await changeUser(tx, userId, { role });
    const result = await viewOf(context.engine, tx, userId);
    const detail = isNothing ? `${user.email} is ${role} already` : `${user.email}: ${user.role} → ${role}`;
    return { result, audit: { subject: userId, detail, isNothing } };
  });
}
