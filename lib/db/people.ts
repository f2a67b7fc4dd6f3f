/** Programs' keys, the first admin, one-time links and the server's own secret. */
import { randomBytes, randomUUID } from "node:crypto";
import { and, eq, gt, isNull, notInArray, sql } from "drizzle-orm";
import type { Reader, Tx } from "./client.ts";
import { apiKeys, authAccounts, authUsers, serverSecrets, setupTokens } from "./schema/index.ts";

/** Makes the table say what the configuration says; keys that left it are revoked. Returns what changed, in words. */
export async function applyApiKeys(
  tx: Tx,
  wanted: { name: string; role: string; sha256: string }[],
): Promise<string[]> {
  const changes: string[] = [];
  const names = wanted.map((key) => key.name);
  const revoked = await tx
    .update(apiKeys)
    .set({ revoked: true })
    .where(and(eq(apiKeys.revoked, false), names.length > 0 ? notInArray(apiKeys.name, names) : undefined))
    .returning({ name: apiKeys.name });
  changes.push(...revoked.map((key) => `API key ${key.name} revoked`));
  const before = new Map((await tx.select().from(apiKeys)).map((key) => [key.name, key]));
  const differs = wanted.filter((key) => {
    const found = before.get(key.name);
    return !found || found.role !== key.role || found.sha256 !== key.sha256 || found.revoked;
  });
  // A hash that moved from one name to another must not meet its old self.
  for (const key of differs) {
    await tx
      .update(apiKeys)
      .set({ sha256: sql`${apiKeys.id}::text` })
      .where(eq(apiKeys.name, key.name));
    await tx
      .update(apiKeys)
      .set({ sha256: sql`${apiKeys.id}::text` })
      .where(and(eq(apiKeys.sha256, key.sha256), eq(apiKeys.revoked, true)));
  }
  for (const key of differs) {
    await tx
      .insert(apiKeys)
      .values(key)
      .onConflictDoUpdate({ target: apiKeys.name, set: { role: key.role, sha256: key.sha256, revoked: false } });
    changes.push(`API key ${key.name} ${before.has(key.name) ? "changed" : "added"}`);
  }
  return changes;
}

export async function findApiKey(db: Reader, sha256: string): Promise<{ name: string; role: string } | null> {
  const [row] = await db
    .select({ name: apiKeys.name, role: apiKeys.role })
    .from(apiKeys)
    .where(and(eq(apiKeys.sha256, sha256), eq(apiKeys.revoked, false)));
  return row ?? null;
}

/** Name and role of a signed-in person as they are now, whatever the session remembers. */
export async function findUser(
  db: Reader,
  userId: string,
): Promise<{ email: string; name: string; role: string } | null> {
  const [row] = await db
    .select({ email: authUsers.email, name: authUsers.name, role: authUsers.role })
    .from(authUsers)
    .where(eq(authUsers.id, userId));
  return row ?? null;
}

export async function findCredential(db: Reader, email: string) {
  const [row] = await db
    .select({ userId: authUsers.id, role: authUsers.role, hash: authAccounts.password })
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
    .onConflictDoUpdate({ target: authUsers.email, set: { role: "admin", updatedAt: new Date() } })
    .returning({ id: authUsers.id });
  if (!user) throw new Error("the admin was not stored");
  const own = and(eq(authAccounts.userId, user.id), eq(authAccounts.providerId, "credential"));
  const updated = await tx
    .update(authAccounts)
    .set({ password: admin.passwordHash, updatedAt: new Date() })
    .where(own)
    .returning({ id: authAccounts.id });
  if (updated.length > 0) return;
  await tx.insert(authAccounts).values({
    id: randomUUID(),
    accountId: user.id,
    providerId: "credential",
    userId: user.id,
    password: admin.passwordHash,
  });
}

export async function hasAdmin(db: Reader): Promise<boolean> {
  const rows = await db.select({ id: authUsers.id }).from(authUsers).where(eq(authUsers.role, "admin")).limit(1);
  return rows.length > 0;
}

/** Notes a new one-time link and forgets the unused older ones. */
export async function saveSetupToken(tx: Tx, sha256: string, expiresAt: Date): Promise<void> {
  await tx.delete(setupTokens).where(isNull(setupTokens.usedAt));
  await tx.insert(setupTokens).values({ sha256, expiresAt });
}

/** Takes a one-time link. False: unknown, used or expired. */
export async function useSetupToken(tx: Tx, sha256: string): Promise<boolean> {
  const used = await tx
    .update(setupTokens)
    .set({ usedAt: new Date() })
    .where(and(eq(setupTokens.sha256, sha256), isNull(setupTokens.usedAt), gt(setupTokens.expiresAt, new Date())))
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
