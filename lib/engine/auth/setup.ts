/** The first admin, where the configuration names none: a one-time link that only who reads the server's output has. */
import { randomBytes } from "node:crypto";
import { hashPassword } from "better-auth/crypto";
import { z } from "zod";
import { newPassword } from "#contract/engine-people.ts";
import { ProblemError } from "#contract/problem.ts";
import {
  dropSetupTokens,
  findSetupToken,
  hasAdmin,
  inTransaction,
  lockPeople,
  saveAdmin,
  saveSetupToken,
  useSetupToken,
  writeAudit,
} from "#db/index.ts";
import type { Config } from "../config.ts";
import { toProblem } from "../problems.ts";
import type { Engine } from "../state.ts";
import { takeAttempt } from "./attempts.ts";
import { sha256 } from "./authenticate.ts";

const LINK_HOURS = 24;

/** For the count of attempts: there is no account yet, so all of them are at this one. */
const ACCOUNT = "the first administrator";

/**
 * Makes a new link when nobody could come in as an administrator otherwise. Returns its path, or null. Links that other
 * processes printed go on working.
 */
export async function offerSetup(db: Engine["db"], config: Config): Promise<string | null> {
  const hasAdminKey = config.apiKeys.some(({ role }) => role === "admin");
  if (config.admin || hasAdminKey || (await hasAdmin(db.orm))) return null;
  const token = randomBytes(32).toString("base64url");
  const expiresAt = new Date(Date.now() + LINK_HOURS * 3_600_000);
  await inTransaction(db, (tx) => saveSetupToken(tx, sha256(token), expiresAt));
  return `/setup?token=${token}`;
}

const setupInput = z.strictObject({
  token: z.string().min(1).max(200),
  email: z.email().max(320),
  password: newPassword,
});

/** Makes the first admin. Each link works once, and none works when there is an admin. `peer`: who asks. */
export async function setUpFirstAdmin(
  engine: Engine,
  input: unknown,
  traceId: string,
  peer: string | null = null,
): Promise<void> {
  const parsed = setupInput.safeParse(input);
  if (!parsed.success) throw toProblem(parsed.error);
  const { token, email, password } = parsed.data;
  const refused = new ProblemError(
    "forbidden",
    "The link is not valid: it was used, it is older than a day, or there is an administrator already.",
  );
  const attempt = await takeAttempt(engine.db, { account: ACCOUNT, peer, device: null });
  // Hashing is slow on purpose: not for whoever guesses.
  if (!(await findSetupToken(engine.db.orm, sha256(token)))) throw refused;
  const passwordHash = await hashPassword(password);
  await inTransaction(engine.db, async (tx) => {
    // Two links used at once must not make two.
    await lockPeople(tx);
    if (!(await useSetupToken(tx, sha256(token))) || (await hasAdmin(tx))) throw refused;
    await saveAdmin(tx, { email, name: email.split("@")[0] ?? email, passwordHash });
    await dropSetupTokens(tx);
    await writeAudit(tx, {
      actor: email,
      role: "admin",
      action: "auth.setup",
      subject: email,
      outcome: "done",
      detail: null,
      traceId,
    });
  });
  await attempt.succeeded();
}
