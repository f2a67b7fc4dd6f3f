/** People's accounts as an administrator sees them: users, their sessions, their one-time links. */
import { randomUUID } from "node:crypto";
import { and, asc, count, desc, eq, gt, isNull, lt, ne, sql } from "drizzle-orm";
import { iso, isoOrNull, type Reader, type Tx } from "./client.ts";
import {
  authAccounts,
  authLinks,
  authRateLimits,
  authSessions,
  authUsers,
  type LINK_PURPOSES,
} from "./schema/index.ts";

export type LinkPurpose = (typeof LINK_PURPOSES)[number];
export type UserRow = Awaited<ReturnType<typeof listUsers>>["items"][number];

const LOCK = 7_411_001;

/** One change of people at a time: two admins who demote each other at once must not both succeed. */
export async function lockPeople(tx: Tx): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${LOCK})`);
}

const providers = sql<string[]>`(select coalesce(array_agg(a.provider_id order by a.provider_id), '{}')
  from ${authAccounts} a where a.user_id = ${authUsers}."id" and (a.provider_id <> 'credential' or a.password is not null))`;
const openSessions = sql<number>`(select count(*)::int from ${authSessions} s
  where s.user_id = ${authUsers}."id" and s.expires_at > now())`;
const lastSeen = sql<
  string | null
>`(select max(s.updated_at) from ${authSessions} s where s.user_id = ${authUsers}."id")`;
const columns = {
  id: authUsers.id,
  name: authUsers.name,
  email: authUsers.email,
  role: authUsers.role,
  disabledAt: authUsers.disabledAt,
  createdAt: authUsers.createdAt,
  providers,
  sessions: openSessions,
  lastSeenAt: lastSeen,
};
type Raw = Omit<typeof authUsers.$inferSelect, "emailVerified" | "image" | "updatedAt"> & {
  providers: string[];
  sessions: number;
  lastSeenAt: string | null;
};
const shape = (row: Raw) => ({
  ...row,
  createdAt: iso(row.createdAt),
  disabledAt: isoOrNull(row.disabledAt),
  lastSeenAt: row.lastSeenAt === null ? null : new Date(row.lastSeenAt).toISOString(),
});

/** By e-mail address; `after` is the last one of the page before. */
export async function listUsers(db: Reader, query: { after: string | null; limit: number }) {
  const rows = await db
    .select(columns)
    .from(authUsers)
    .where(query.after === null ? undefined : gt(authUsers.email, query.after))
    .orderBy(asc(authUsers.email))
    .limit(query.limit + 1);
  const [all] = await db.select({ n: count() }).from(authUsers);
  return { items: rows.slice(0, query.limit).map(shape), more: rows.length > query.limit, total: all?.n ?? 0 };
}

export async function getUser(db: Reader, userId: string): Promise<UserRow | null> {
  const [row] = await db.select(columns).from(authUsers).where(eq(authUsers.id, userId));
  return row ? shape(row) : null;
}

/** Admins who may come in, this person left out. */
export async function countOtherAdmins(tx: Tx, userId: string): Promise<number> {
  const [row] = await tx
    .select({ n: count() })
    .from(authUsers)
    .where(
      and(
        eq(authUsers.role, "admin"),
        isNull(authUsers.disabledAt),
        ne(authUsers.id, userId),
        // Who was invited and has not come yet cannot let anybody in.
        sql`cardinality(${providers}) > 0`,
      ),
    );
  return row?.n ?? 0;
}

/** Someone who has no way to sign in yet. Returns the id; null: the address is taken. */
export async function insertUser(
  tx: Tx,
  user: { email: string; name: string; role: string; emailVerified?: boolean },
): Promise<string | null> {
  const [made] = await tx
    .insert(authUsers)
    .values({ id: randomUUID(), emailVerified: false, ...user, email: user.email.toLowerCase() })
    .onConflictDoNothing()
    .returning({ id: authUsers.id });
  return made?.id ?? null;
}

export async function changeUser(
  tx: Tx,
  userId: string,
  change: { role?: string; name?: string; disabledAt?: Date | null },
): Promise<void> {
  await tx
    .update(authUsers)
    .set({ ...change, updatedAt: new Date() })
    .where(eq(authUsers.id, userId));
}

/** The person, with sessions, credentials and links. What the audit says of them stays. */
export async function deleteUser(tx: Tx, userId: string): Promise<void> {
  await tx.delete(authUsers).where(eq(authUsers.id, userId));
}

/** Stores a password's hash, made by better-auth's own hashing; null takes the password away. */
export async function savePassword(tx: Tx, userId: string, passwordHash: string | null): Promise<void> {
  const own = and(eq(authAccounts.userId, userId), eq(authAccounts.providerId, "credential"));
  const updated = await tx
    .update(authAccounts)
    .set({ password: passwordHash, updatedAt: new Date() })
    .where(own)
    .returning({ id: authAccounts.id });
  if (updated.length > 0 || passwordHash === null) return;
  await tx.insert(authAccounts).values({
    id: randomUUID(),
    accountId: userId,
    providerId: "credential",
    userId,
    password: passwordHash,
  });
}

/** Notes a new link; older ones of this person do not work any more. */
export async function saveLink(
  tx: Tx,
  link: { sha256: string; userId: string; purpose: LinkPurpose; expiresAt: Date },
): Promise<void> {
  await dropLinks(tx, link.userId);
  await tx.insert(authLinks).values(link);
}

export async function dropLinks(tx: Tx, userId: string): Promise<void> {
  await tx.delete(authLinks).where(and(eq(authLinks.userId, userId), isNull(authLinks.usedAt)));
}

const isValid = (sha256: string) =>
  and(eq(authLinks.sha256, sha256), isNull(authLinks.usedAt), gt(authLinks.expiresAt, new Date()));

/** Whose link this is; null: unknown, used, expired, or the person may not come in. */
export async function findLink(db: Reader, sha256: string) {
  const [row] = await db
    .select({ purpose: authLinks.purpose, userId: authUsers.id, email: authUsers.email, name: authUsers.name })
    .from(authLinks)
    .innerJoin(authUsers, eq(authUsers.id, authLinks.userId))
    .where(and(isValid(sha256), isNull(authUsers.disabledAt)));
  return row ?? null;
}

/** Takes a link, once. */
export async function useLink(tx: Tx, sha256: string) {
  const link = await findLink(tx, sha256);
  if (!link) return null;
  const used = await tx
    .update(authLinks)
    .set({ usedAt: new Date() })
    .where(isValid(sha256))
    .returning({ sha256: authLinks.sha256 });
  return used.length > 0 ? link : null;
}

/** Sessions that have not ended, newest use first. */
export async function listSessions(db: Reader, userId: string) {
  const rows = await db
    .select()
    .from(authSessions)
    .where(and(eq(authSessions.userId, userId), gt(authSessions.expiresAt, new Date())))
    .orderBy(desc(authSessions.updatedAt), asc(authSessions.id))
    .limit(200);
  return rows.map(({ id, ipAddress, userAgent, createdAt, updatedAt, expiresAt }) => ({
    id,
    address: ipAddress || null,
    userAgent: userAgent || null,
    since: iso(createdAt),
    lastUsedAt: iso(updatedAt),
    expiresAt: iso(expiresAt),
  }));
}

/** Ends sessions of a person: one, or all but `keep`. Returns how many. */
export async function endSessions(tx: Tx, userId: string, which: { id?: string; keep?: string } = {}): Promise<number> {
  const ended = await tx
    .delete(authSessions)
    .where(
      and(
        eq(authSessions.userId, userId),
        which.id === undefined ? undefined : eq(authSessions.id, which.id),
        which.keep === undefined ? undefined : ne(authSessions.id, which.keep),
      ),
    )
    .returning({ id: authSessions.id });
  return ended.length;
}

/** Notes that a session was used; at most once a minute, so that reading costs no write. */
export async function touchSession(db: Reader, sessionId: string): Promise<void> {
  await db
    .update(authSessions)
    .set({ updatedAt: new Date() })
    .where(and(eq(authSessions.id, sessionId), lt(authSessions.updatedAt, new Date(Date.now() - 60_000))));
}

/**
 * Counts an attempt within a window that begins with the first one. Returns how many there were in it. The row holds the
 * window's end: better-auth, whose table this is, deletes rows whose time is past, and must not forget one that still counts.
 */
export async function countAttempt(db: Reader, key: string, windowMs: number): Promise<number> {
  const now = Date.now();
  const isOver = sql`${authRateLimits.lastRequest} <= ${now}`;
  const [row] = await db
    .insert(authRateLimits)
    .values({ id: randomUUID(), key, count: 1, lastRequest: now + windowMs })
    .onConflictDoUpdate({
      target: authRateLimits.key,
      set: {
        count: sql`case when ${isOver} then 1 else least(${authRateLimits.count} + 1, 1000000) end`,
        lastRequest: sql`case when ${isOver} then ${now + windowMs}::bigint else ${authRateLimits.lastRequest} end`,
      },
    })
    .returning({ count: authRateLimits.count });
  return row?.count ?? 1;
}

/** How many attempts there are in a window that has not ended. */
export async function readAttempts(db: Reader, key: string): Promise<number> {
  const [row] = await db
    .select({ count: authRateLimits.count })
    .from(authRateLimits)
    .where(and(eq(authRateLimits.key, key), gt(authRateLimits.lastRequest, Date.now())));
  return row?.count ?? 0;
}

/** One attempt was none. */
export async function forgiveAttempt(db: Reader, key: string): Promise<void> {
  await db
    .update(authRateLimits)
    .set({ count: sql`greatest(${authRateLimits.count} - 1, 0)` })
    .where(eq(authRateLimits.key, key));
}

export async function forgetAttempts(db: Reader, key: string): Promise<void> {
  await db.delete(authRateLimits).where(eq(authRateLimits.key, key));
}
