/** The person whom the identity provider names, as an account of ours. */
import { z } from "zod";
import type { Role } from "#contract/engine.ts";
import {
  changeUser,
  dropLinks,
  endSessions,
  findUserByEmail,
  findUserByIdentity,
  getUser,
  insertIdentity,
  insertUser,
  inTransaction,
  lockPeople,
  notifyChange,
  type Tx,
  writeAudit,
} from "#db/index.ts";
import type { Engine } from "../state.ts";

/** Why somebody whom the provider knows is not let in; the sign-in page has the words. */
export type Refusal = "no-group" | "no-email" | "account-exists" | "disabled" | "expired" | "declined" | "failed";

export class SignInRefused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(`sign-in refused: ${refusal}`);
    this.refusal = refusal;
  }
}

type Claims = Record<string, unknown> & { sub: string };
type Person = { issuer: string; claims: Claims; role: Role | null; traceId: string };

/**
 * Finds the account by the provider's own id of the person, or makes it; the role is what the groups say now. The
 * provider decides: it demotes the last administrator too (the configured one is not of the provider and stays).
 * @throws SignInRefused
 */
export async function admitPerson(engine: Engine, { issuer, claims, role, traceId }: Person): Promise<string> {
  const identity = `${issuer}#${claims.sub}`;
  if (role === null) {
    await putOut(engine, identity, traceId);
    throw new SignInRefused("no-group");
  }
  return inTransaction(engine.db, async (tx) => {
    await lockPeople(tx);
    const userId =
      (await findUserByIdentity(tx, identity)) ?? (await insertPerson(engine, tx, { identity, claims, role }));
    const user = await getUser(tx, userId);
    if (!user || user.disabledAt) throw new SignInRefused("disabled");
    if (isConfigured(engine, user.email)) throw new SignInRefused("account-exists");
    if (user.role !== role) {
      await changeUser(tx, userId, { role });
      await notifyChange(tx, { type: "access" });
    }
    await writeAudit(tx, {
      actor: user.email,
      role,
      action: "auth.provider",
      subject: userId,
      outcome: "done",
      detail: user.role === role ? `as ${role}` : `${user.role} → ${role}, by the groups`,
      traceId,
    });
    return userId;
  });
}

const isConfigured = ({ config }: Engine, email: string): boolean => config.admin?.email.toLowerCase() === email;

/** Who has left all groups is out of what is open too, not only out of what would begin. */
function putOut({ db }: Engine, identity: string, traceId: string): Promise<void> {
  return inTransaction(db, async (tx) => {
    await lockPeople(tx);
    const userId = await findUserByIdentity(tx, identity);
    const user = userId && (await getUser(tx, userId));
    if (!user) return;
    const ended = await endSessions(tx, user.id);
    await writeAudit(tx, {
      actor: user.email,
      role: user.role,
      action: "auth.provider",
      subject: user.id,
      outcome: "refused",
      detail: `in no group that has a role; ${ended} sessions ended`,
      traceId,
    });
    await notifyChange(tx, { type: "access" });
  });
}

/**
 * An account that somebody signs in to with a password is never taken over by an address that a provider names. Who was
 * invited and has not come yet may come this way, if the provider has confirmed the address.
 */
async function insertPerson(
  engine: Engine,
  tx: Tx,
  { identity, claims, role }: { identity: string; claims: Claims; role: Role },
): Promise<string> {
  const email = z.email().max(320).safeParse(claims.email);
  if (!email.success || claims.email_verified === false) throw new SignInRefused("no-email");
  const emailVerified = claims.email_verified === true;
  const knownId = await findUserByEmail(tx, email.data);
  const known = knownId && (await getUser(tx, knownId));
  if (known) {
    if (known.disabledAt) throw new SignInRefused("disabled");
    if (known.providers.length > 0 || isConfigured(engine, known.email)) throw new SignInRefused("account-exists");
    if (!emailVerified) throw new SignInRefused("no-email");
    // The invitation would set a password beside the provider.
    await dropLinks(tx, known.id);
  }
  const said = typeof claims.name === "string" ? claims.name.trim().slice(0, 200) : "";
  const person = { email: email.data, name: said || email.data, role, emailVerified };
  const userId = known ? known.id : await insertUser(tx, person);
  if (!userId) throw new SignInRefused("account-exists");
  await insertIdentity(tx, userId, identity);
  return userId;
}
