/** Programs' keys: those of the configuration and those made in the console. Only their SHA-256 is ever stored. */
import { and, asc, count, eq, gt, inArray, isNull, lt, notInArray, or, sql } from "drizzle-orm";
import { iso, isoOrNull, type Reader, type Tx, toIsoOrNull } from "./client.ts";
import { apiKeyHosts, apiKeys, apiKeyUses, hosts } from "./schema/index.ts";

export type ApiKeyRow = Awaited<ReturnType<typeof listApiKeys>>["items"][number];

/** Makes the table say what the configuration says; its keys that left it are revoked. Returns what changed, in words. */
export async function applyApiKeys(
  tx: Tx,
  wanted: { name: string; role: string; sha256: string }[],
): Promise<string[]> {
  const changes: string[] = [];
  const names = wanted.map((key) => key.name);
  const revoked = await tx
    .update(apiKeys)
    .set({ revoked: true })
    .where(
      and(
        eq(apiKeys.revoked, false),
        eq(apiKeys.source, "configuration"),
        names.length > 0 ? notInArray(apiKeys.name, names) : undefined,
      ),
    )
    .returning({ name: apiKeys.name });
  changes.push(...revoked.map((key) => `API key ${key.name} revoked`));
  const before = new Map((await tx.select().from(apiKeys)).map((key) => [key.name, key]));
  const differs = wanted.filter((key) => {
    const found = before.get(key.name);
    return (
      !found ||
      found.role !== key.role ||
      found.sha256 !== key.sha256 ||
      found.revoked ||
      found.source !== "configuration"
    );
  });
  // A hash that moved from one name to another must not meet its old self.
  for (const key of differs) {
    await tx
      .update(apiKeys)
      .set({ sha256: sql`${apiKeys.id}::text` })
      .where(eq(apiKeys.name, key.name));
    await tx
      .update(apiKeys)
      .set({ sha256: sql`${apiKeys.id}::text`, revoked: true })
      .where(and(eq(apiKeys.sha256, key.sha256), or(eq(apiKeys.revoked, true), eq(apiKeys.source, "console"))));
  }
  for (const key of differs) {
    const set = { role: key.role, sha256: key.sha256, revoked: false, source: "configuration" as const };
    const [row] = await tx
      .insert(apiKeys)
      .values({ ...set, name: key.name })
      .onConflictDoUpdate({ target: apiKeys.name, set: { ...set, allHosts: true, expiresAt: null, createdBy: null } })
      .returning({ id: apiKeys.id });
    if (row) await tx.delete(apiKeyHosts).where(eq(apiKeyHosts.keyId, row.id));
    changes.push(`API key ${key.name} ${before.has(key.name) ? "changed" : "added"}`);
  }
  return changes;
}

/** A key that works now, with the hosts that it may see; `hosts` null: all of them. */
export async function findApiKey(
  db: Reader,
  sha256: string,
): Promise<{ id: string; name: string; role: string; hosts: string[] | null } | null> {
  const [row] = await db
    .select({ id: apiKeys.id, name: apiKeys.name, role: apiKeys.role, allHosts: apiKeys.allHosts })
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.sha256, sha256),
        eq(apiKeys.revoked, false),
        or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, new Date())),
      ),
    );
  if (!row) return null;
  const { allHosts, ...key } = row;
  return { ...key, hosts: allHosts ? null : await hostsOf(db, key.id) };
}

const hostsOf = async (db: Reader, keyId: string): Promise<string[]> =>
  (await db.select({ id: apiKeyHosts.hostId }).from(apiKeyHosts).where(eq(apiKeyHosts.keyId, keyId))).map(
    (row) => row.id,
  );

/** Notes that a key was used; at most once a minute. */
export async function touchApiKey(db: Reader, keyId: string): Promise<void> {
  const now = new Date();
  await db
    .insert(apiKeyUses)
    .values({ keyId, lastUsedAt: now })
    .onConflictDoUpdate({
      target: apiKeyUses.keyId,
      set: { lastUsedAt: now },
      setWhere: lt(apiKeyUses.lastUsedAt, new Date(now.getTime() - 60_000)),
    });
}

const columns = {
  id: apiKeys.id,
  name: apiKeys.name,
  role: apiKeys.role,
  source: apiKeys.source,
  allHosts: apiKeys.allHosts,
  expiresAt: apiKeys.expiresAt,
  createdBy: apiKeys.createdBy,
  createdAt: apiKeys.createdAt,
  revoked: apiKeys.revoked,
  lastUsedAt: apiKeyUses.lastUsedAt,
};

const select = (db: Reader) => db.select(columns).from(apiKeys).leftJoin(apiKeyUses, eq(apiKeyUses.keyId, apiKeys.id));

async function withHosts(db: Reader, rows: Awaited<ReturnType<typeof select>>) {
  const ids = rows.map((row) => row.id);
  const links = ids.length
    ? await db
        .select({ keyId: apiKeyHosts.keyId, id: hosts.id, name: hosts.name })
        .from(apiKeyHosts)
        .innerJoin(hosts, eq(hosts.id, apiKeyHosts.hostId))
        .where(inArray(apiKeyHosts.keyId, ids))
        .orderBy(asc(hosts.name))
    : [];
  const of = Map.groupBy(links, (link) => link.keyId);
  return rows.map(({ allHosts, ...row }) => ({
    ...row,
    createdAt: iso(row.createdAt),
    expiresAt: isoOrNull(row.expiresAt),
    lastUsedAt: toIsoOrNull(row.lastUsedAt),
    hosts: allHosts ? null : (of.get(row.id) ?? []).map(({ id, name }) => ({ id, name })),
  }));
}

/** By name, revoked ones too; `after` is the last name of the page before. */
export async function listApiKeys(db: Reader, query: { after: string | null; limit: number }) {
  const rows = await select(db)
    .where(query.after === null ? undefined : gt(apiKeys.name, query.after))
    .orderBy(asc(apiKeys.name))
    .limit(query.limit + 1);
  const [all] = await db.select({ n: count() }).from(apiKeys);
  return {
    items: await withHosts(db, rows.slice(0, query.limit)),
    more: rows.length > query.limit,
    total: all?.n ?? 0,
  };
}

export async function getApiKey(db: Reader, keyId: string): Promise<ApiKeyRow | null> {
  const rows = await select(db).where(eq(apiKeys.id, keyId));
  return (await withHosts(db, rows))[0] ?? null;
}

/** A key made in the console. `hosts` null: all. Returns its id; null: the name is taken. */
export async function insertApiKey(
  tx: Tx,
  key: {
    name: string;
    role: string;
    sha256: string;
    hosts: string[] | null;
    expiresAt: Date | null;
    createdBy: string;
  },
): Promise<string | null> {
  const { hosts: scope, ...row } = key;
  const [made] = await tx
    .insert(apiKeys)
    .values({ ...row, source: "console", allHosts: scope === null })
    .onConflictDoNothing()
    .returning({ id: apiKeys.id });
  if (!made) return null;
  if (scope?.length) await tx.insert(apiKeyHosts).values(scope.map((hostId) => ({ keyId: made.id, hostId })));
  return made.id;
}

export async function revokeApiKey(tx: Tx, keyId: string): Promise<void> {
  await tx.update(apiKeys).set({ revoked: true }).where(eq(apiKeys.id, keyId));
}

/** Which of these are no hosts of ours. */
export async function findUnknownHosts(db: Reader, hostIds: string[]): Promise<string[]> {
  if (hostIds.length === 0) return [];
  const rows = await db.select({ id: hosts.id }).from(hosts).where(inArray(hosts.id, hostIds));
  const known = new Set(rows.map((row) => row.id));
  return hostIds.filter((id) => !known.has(id));
}
