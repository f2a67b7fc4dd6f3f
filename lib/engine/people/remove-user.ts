import { deleteUser } from "#db/index.ts";
import type { Context } from "../state.ts";
import { assertNotLastAdmin, requireOther } from "./users.ts";
import { changePeople } from "./write.ts";

/** The account goes, with its sessions and links; what the audit says of the person stays. */
export function removeUser(context: Context, { userId }: { userId: string }) {
  return changePeople(context, "users.remove", async (tx) => {
    const user = await requireOther(context, tx, userId);
    await assertNotLastAdmin(tx, user);
    await deleteUser(tx, userId);
    return { result: { deleted: true as const }, audit: { subject: userId, detail: user.email } };
  });
}
