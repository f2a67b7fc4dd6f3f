import { ProblemError } from "#contract/problem.ts";
import { endSessions, savePassword } from "#db/index.ts";
import type { Context } from "../state.ts";
import { makeLink } from "./links.ts";
import { assertNotLastAdmin, requireOther, viewOf } from "./users.ts";
import { changePeople } from "./write.ts";

/**
 * Takes the password and every session away and makes a link for a new one. For who was invited and lost the link it
 * makes a new invitation.
 */
export function resetPassword(context: Context, { userId }: { userId: string }) {
  return changePeople(context, "users.resetPassword", async (tx) => {
    const user = await requireOther(context, tx, userId);
    const refuse = (why: string) => new ProblemError("conflict", why, { subject: userId });
    if (user.disabledAt) throw refuse(`${user.email} is disabled; enable the account first.`);
    if (user.providers.some((provider) => provider !== "credential")) {
      throw refuse(`${user.email} signs in through the identity provider and has no password here.`);
    }
    await assertNotLastAdmin(tx, user);
    await savePassword(tx, userId, null);
    const ended = await endSessions(tx, userId);
    const link = await makeLink(tx, userId, user.providers.length === 0 ? "invitation" : "password");
    const result = { user: await viewOf(context.engine, tx, userId), link };
    return { result, audit: { subject: userId, detail: `${user.email}, ${ended} sessions ended` } };
  });
}
