/** Who is signed in, the first admin, one-time links and the server's own secret. */
import { randomBytes, randomUUID } from "node:crypto";
import { and, eq, gt, isNotNull, isNull, lt, or } from "drizzle-orm";
import { savePassword } from "./accounts.ts";
import type { Reader, Tx } from "./client.ts";
import { authAccounts, authUsers, authVerifications, serverSecrets, setupTokens } from "./schema/index.ts";

/** Name and role of a signed-in person as they are now, whatever the session remembers; null: may not come in. */
export async function findUser(
  db: Reader,
  userId: string,
): Promise<{ email: string; name: string; role: string } | null> {
  const [row] = await db
    .select({ email: authUsers.email, name: authUsers.name, role: authUsers.role })
    .from(authUsers)
    .where(and(eq(authUsers.id, userId), isNull(authUsers.disabledAt)));
  return row ?? null;
}

export async function findCredential(db: Reader, email: string) {
  const [row] = await db
    .select({
      userId: authUsers.id,
      role: authUsers.role,
      disabledAt: authUsers.disabledAt,
      hash: authAccounts.password,
    })
    .from(authUsers)
    .leftJoin(authAccounts, and(eq(authAccounts.userId, authUsers.id), eq(authAccounts.providerId, "credential")))
    .where(eq(authUsers.email, email.toLowerCase()));
  return row ?? null;
}

/** Makes or updates an admin with this password hash (made by better-auth's own hashing). */
export async function saveAdmin(tx: Tx, admin: { email: string; name: string; passwordHash: string }): Promise<void> {
  const email = admin.email.toLowerCase();
  const [user] = await tx
    .insert(authUsers)
    .values({ id: randomUUID(), name: admin.name, email, emailVerified: true, role: "admin" })
    .onConflictDoUpdate({ target: authUsers.email, set: { role: "admin", disabledAt: null, updatedAt: new Date() } })
    .returning({ id: authUsers.id });
  if (!user) throw new Error("the admin was not stored");
  await savePassword(tx, user.id, admin.passwordHash);
}

export async function hasAdmin(db: Reader): Promise<boolean> {
  const rows = await db
    .select({ id: authUsers.id })
    .from(authUsers)
    .where(and(eq(authUsers.role, "admin"), isNull(authUsers.disabledAt)))
    .limit(1);
  return rows.length > 0;
}

/** Notes a new one-time link and forgets those that do not work any more. */
export async function saveSetupToken(tx: Tx, sha256: string, expiresAt: Date): Promise<void> {
  await tx.delete(setupTokens).where(or(isNotNull(setupTokens.usedAt), lt(setupTokens.expiresAt, new Date())));
  await tx.insert(setupTokens).values({ sha256, expiresAt });
}

/** There is an administrator: none of the links works any more, also when that one is gone some day. */
export async function dropSetupTokens(tx: Tx): Promise<void> {
  await tx.delete(setupTokens);
}

const isUsable = (sha256: string) =>
  and(eq(setupTokens.sha256, sha256), isNull(setupTokens.usedAt), gt(setupTokens.expiresAt, new Date()));

/** Whether a one-time link works: known, neither used nor expired. */
export async function findSetupToken(db: Reader, sha256: string): Promise<boolean> {
  return (await db.select({ sha256: setupTokens.sha256 }).from(setupTokens).where(isUsable(sha256))).length > 0;
}

/** Takes a one-time link. False: unknown, used or expired. */
export async function useSetupToken(tx: Tx, sha256: string): Promise<boolean> {
  const used = await tx
    .update(setupTokens)
    .set({ usedAt: new Date() })
    .where(isUsable(sha256))
    .returning({ sha256: setupTokens.sha256 });
  return used.length > 0;
}

/** A secret that all web processes of this database share, made by the first that asks. */
export async function sharedSecret(db: Reader, name: string): Promise<string> {
  await db
    .insert(serverSecrets)
    .values({ name, value: randomBytes(32).toString("hex") })
    .onConflictDoNothing();
  const [row] = await db.select({ value: serverSecrets.value }).from(serverSecrets).where(eq(serverSecrets.name, name));
  if (!row) throw new Error("the server's secret is gone");
  return row.value;
}

const PROVIDER = "oidc";

/** Whose identity at the provider this is. */
export async function findUserByIdentity(tx: Tx, identity: string): Promise<string | null> {
  const [row] = await tx
    .select({ userId: authAccounts.userId })
    .from(authAccounts)
    .where(and(eq(authAccounts.providerId, PROVIDER), eq(authAccounts.accountId, identity)));
  return row?.userId ?? null;
}

export async function findUserByEmail(tx: Tx, email: string): Promise<string | null> {
  const [row] = await tx.select({ id: authUsers.id }).from(authUsers).where(eq(authUsers.email, email.toLowerCase()));
  return row?.id ?? null;
}

export async function insertIdentity(tx: Tx, userId: string, identity: string): Promise<void> {
  await tx.insert(authAccounts).values({ id: randomUUID(), accountId: identity, providerId: PROVIDER, userId });
}

/** What a sign-in that goes through another site must find again; forgets those that were never finished. */
export async function saveSignInAttempt(db: Reader, id: string, value: string, expiresAt: Date): Promise<void> {
  await db.delete(authVerifications).where(lt(authVerifications.expiresAt, new Date()));
  await db.insert(authVerifications).values({ id: randomUUID(), identifier: `sign-in:${id}`, value, expiresAt });
}

/** Takes it, once; null: unknown, taken or too old. */
export async function takeSignInAttempt(db: Reader, id: string): Promise<string | null> {
  const [row] = await db
    .delete(authVerifications)
    .where(eq(authVerifications.identifier, `sign-in:${id}`))
    .returning({ value: authVerifications.value, expiresAt: authVerifications.expiresAt });
  return row && row.expiresAt > new Date() ? row.value : null;
}
