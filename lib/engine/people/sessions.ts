/** Sessions of people: the own ones, and anybody's for an admin. */
import { ProblemError } from "#contract/problem.ts";
import { endSessions, listSessions } from "#db/index.ts";
import type { Context } from "../state.ts";
import { requireUser } from "./users.ts";
import { changePeople } from "./write.ts";

/** @throws ProblemError not_found, for a key: only people have an account */
export function requirePerson({ actor }: Context): { userId: string; sessionId: string } {
  const { userId, sessionId } = actor;
  if (userId === undefined || sessionId === undefined)
    throw new ProblemError("not_found", "An API key has no account and no sessions.");
  return { userId, sessionId };
}

async function list({ engine, actor }: Context, userId: string) {
  const items = await listSessions(engine.db.orm, userId);
  return { items: items.map((session) => ({ ...session, current: session.id === actor.sessionId })) };
}

function end(context: Context, action: string, userId: string, sessionId?: string) {
  return changePeople(context, action, async (tx) => {
    const ended = await endSessions(tx, userId, sessionId === undefined ? {} : { id: sessionId });
    if (sessionId !== undefined && ended === 0)
      throw new ProblemError("not_found", "There is no such session (any more).", { subject: userId });
    return { result: { ended }, audit: { subject: userId, detail: `${ended} sessions ended`, isNothing: ended === 0 } };
  });
}

export const listOwnSessions = (context: Context) => list(context, requirePerson(context).userId);

export const endOwnSession = (context: Context, { sessionId }: { sessionId: string }) =>
  end(context, "account.endSession", requirePerson(context).userId, sessionId);

/** All of them, the one that asks too. */
export const signOutEverywhere = (context: Context) =>
  end(context, "account.signOutEverywhere", requirePerson(context).userId);

export async function listUserSessions(context: Context, { userId }: { userId: string }) {
  await requireUser(context.engine.db.orm, userId);
  return list(context, userId);
}

export async function endUserSession(context: Context, { userId, sessionId }: { userId: string; sessionId: string }) {
  await requireUser(context.engine.db.orm, userId);
  return end(context, "users.endSession", userId, sessionId);
}

export async function endUserSessions(context: Context, { userId }: { userId: string }) {
  await requireUser(context.engine.db.orm, userId);
  return end(context, "users.endSessions", userId);
}
