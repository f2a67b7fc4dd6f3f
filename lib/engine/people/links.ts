/** One-time links: made by an admin, shown once, kept as SHA-256, taken by whoever sets the password. */
import { randomBytes } from "node:crypto";
import { hashPassword } from "better-auth/crypto";
import { z } from "zod";
import { newPassword, type OneTimeLink, personName } from "#contract/engine-people.ts";
import { ProblemError } from "#contract/problem.ts";
import {
  changeUser,
  endSessions,
  findLink,
  inTransaction,
  type LinkPurpose,
  lockPeople,
  notifyChange,
  saveLink,
  savePassword,
  type Tx,
  useLink,
  writeAudit,
} from "#db/index.ts";
import { sha256 } from "../auth/authenticate.ts";
import { toProblem } from "../problems.ts";
import type { Engine } from "../state.ts";

const LINK_HOURS: Record<LinkPurpose, number> = { invitation: 72, password: 24 };

export async function makeLink(tx: Tx, userId: string, purpose: LinkPurpose): Promise<OneTimeLink> {
  const token = randomBytes(32).toString("base64url");
  const expiresAt = new Date(Date.now() + LINK_HOURS[purpose] * 3_600_000);
  await saveLink(tx, { sha256: sha256(token), userId, purpose, expiresAt });
  return { path: `/welcome?token=${token}`, expiresAt: expiresAt.toISOString() };
}

/** Whom a link is for, for the page that asks for the password; null: it does not work (any more). */
export async function describeLink(engine: Engine, token: string) {
  const link = token.length > 200 ? null : await findLink(engine.db.orm, sha256(token));
  return link && { purpose: link.purpose, email: link.email, name: link.name };
}

const acceptInput = z.strictObject({
  token: z.string().min(1).max(200),
  name: personName.optional(),
  password: newPassword,
});

/** Sets the password of the person whom a link is for. Works once; ends all sessions of that person. */
export async function acceptLink(engine: Engine, input: unknown, traceId: string): Promise<{ email: string }> {
  const parsed = acceptInput.safeParse(input);
  if (!parsed.success) throw toProblem(parsed.error);
  const { token, name, password } = parsed.data;
  const refused = new ProblemError(
    "forbidden",
    "The link is not valid: it was used, it is too old, or a newer one was made. Ask an administrator for another.",
  );
  // Hashing is slow on purpose: not for whoever guesses.
  if (!(await findLink(engine.db.orm, sha256(token)))) throw refused;
  const passwordHash = await hashPassword(password);
  return inTransaction(engine.db, async (tx) => {
    await lockPeople(tx);
    const link = await useLink(tx, sha256(token));
    if (!link) throw refused;
    if (name !== undefined) await changeUser(tx, link.userId, { name });
    await savePassword(tx, link.userId, passwordHash);
    await endSessions(tx, link.userId);
    await writeAudit(tx, {
      actor: link.email,
      role: null,
      action: link.purpose === "invitation" ? "auth.accept-invitation" : "auth.set-password",
      subject: link.userId,
      outcome: "done",
      detail: null,
      traceId,
    });
    await notifyChange(tx, { type: "access" });
    return { email: link.email };
  });
}
