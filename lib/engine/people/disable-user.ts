import { changeUser, dropLinks, endSessions } from "#db/index.ts";
import type { Context } from "../state.ts";
import { assertNotLastAdmin, requireOther, viewOf } from "./users.ts";
import { changePeople } from "./write.ts";

/** Keeps a person out: sessions end, links die, no sign-in works. Again: as it is. */
export function disableUser(context: Context, { userId }: { userId: string }) {
  return changePeople(context, "users.disable", async (tx) => {
    const user = await requireOther(context, tx, userId);
    await assertNotLastAdmin(tx, user);
    if (!user.disabledAt) await changeUser(tx, userId, { disabledAt: new Date() });
    const ended = await endSessions(tx, userId);
    const isNothing = user.disabledAt !== null && ended === 0;
    await dropLinks(tx, userId);
    const result = await viewOf(context.engine, tx, userId);
    const detail = isNothing ? `${user.email} is disabled already` : `${user.email}, ${ended} sessions ended`;
    return { result, audit: { subject: userId, detail, isNothing } };
  });
}
