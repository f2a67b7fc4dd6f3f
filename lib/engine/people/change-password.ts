import { hashPassword, verifyPassword } from "better-auth/crypto";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { endSessions, findCredential, savePassword } from "#db/index.ts";
import { takeAttemptInSession } from "../auth/attempts.ts";
import type { Context } from "../state.ts";
import { requirePerson } from "./sessions.ts";
import { viewOf } from "./users.ts";
import { changePeople } from "./write.ts";

/** A new own password, for who knows the present one. All other sessions of the person end. */
export async function changePassword(context: Context, { current, next }: { current: string; next: string }) {
  const { engine } = context;
  const { userId, sessionId } = requirePerson(context);
  const user = await viewOf(engine, engine.db.orm, userId);
  if (user.configured)
    throw new ProblemError("conflict", "This password stands in the configuration; change it there.");
  if (!user.signsInBy.includes("password"))
    throw new ProblemError("conflict", "You sign in through the identity provider and have no password here.");
  const attempt = await takeAttemptInSession(engine.db, sessionId);
  const known = await findCredential(engine.db.orm, user.email);
  if (!known?.hash || !(await verifyPassword({ hash: known.hash, password: current })))
    throw invalidInput([{ field: "current", reason: "is not your password" }]);
  await attempt.succeeded();
  const hash = await hashPassword(next);
  return changePeople(context, "account.changePassword", async (tx) => {
    await savePassword(tx, userId, hash);
    const ended = await endSessions(tx, userId, { keep: sessionId });
    return { result: { ended }, audit: { subject: userId, detail: `${ended} other sessions ended` } };
  });
}
