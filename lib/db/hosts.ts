import { isDeepStrictEqual } from "node:util";
import { and, asc, eq, gt, inArray, notInArray, sql } from "drizzle-orm";
import type { ObserveError } from "../chain/model.ts";
import { isoOrNull, type Reader, type Tx } from "./client.ts";
import { hostCredentials, hosts, vmPresence, vms } from "./schema/index.ts";
import type { Scope } from "./scope.ts";

export type HostRow = Awaited<ReturnType<typeof listHosts>>["items"][number];
export type HostFacts = Partial<
  Pick<
    typeof hosts.$inferInsert,
    "kind" | "libvirtVersion" | "qemuVersion" | "agentVersion" | "clockSkewMs" | "capabilities" | "switchedOff"
  >
>;

/** Makes the table say what the configuration says. Returns what changed, in words; nothing when nothing did. */
export async function applyHosts(tx: Tx, wanted: { name: string; url: string }[]): Promise<string[]> {
  const changes: string[] = [];
  for (const host of wanted) {
    const [found] = await tx.select().from(hosts).where(eq(hosts.name, host.name));
    if (!found) {
      await tx.insert(hosts).values(host);
      changes.push(`host ${host.name} added`);
    } else if (found.url !== host.url || !found.configured || found.origin !== "configuration") {
      await tx
        .update(hosts)
        .set({ url: host.url, configured: true, origin: "configuration", retiredAt: null })
        .where(eq(hosts.id, found.id));
      // The file wins over an earlier pairing: whoever wrote it has the token.
      await tx.delete(hostCredentials).where(eq(hostCredentials.hostId, found.id));
      changes.push(`host ${host.name} changed`);
    }
  }
  const names = wanted.map((host) => host.name);
  const gone = await tx
    .update(hosts)
    .set({ configured: false, state: "offline" })
    .where(
      and(
        eq(hosts.configured, true),
        eq(hosts.origin, "configuration"),
        names.length > 0 ? notInArray(hosts.name, names) : undefined,
      ),
    )
    .returning({ name: hosts.name });
  return [...changes, ...gone.map((host) => `host ${host.name} taken out`)];
}

// Written with the tables: in a select over one table drizzle leaves them out, and "id" would be that of the VM.
const vmsOn = sql<number>`(select count(*)::int from ${vms} where ${vms}."host_id" = ${hosts}."id")`;
type Selected = typeof hosts.$inferSelect & { vms: number; pairedAt: Date | null; rotatedAt: Date | null };
const shape = (row: Selected) => ({
  ...row,
  lastContactAt: isoOrNull(row.lastContactAt),
  lastSweepAt: isoOrNull(row.lastSweepAt),
  retiredAt: isoOrNull(row.retiredAt),
  pairedAt: isoOrNull(row.pairedAt),
  rotatedAt: isoOrNull(row.rotatedAt),
});
const columns = {
  id: hosts.id,
  name: hosts.name,
  url: hosts.url,
  kind: hosts.kind,
  state: hosts.state,
  configured: hosts.configured,
  lastContactAt: hosts.lastContactAt,
  lastSweepAt: hosts.lastSweepAt,
  error: hosts.error,
  libvirtVersion: hosts.libvirtVersion,
  qemuVersion: hosts.qemuVersion,
  agentVersion: hosts.agentVersion,
  clockSkewMs: hosts.clockSkewMs,
  capabilities: hosts.capabilities,
  switchedOff: hosts.switchedOff,
  createdAt: hosts.createdAt,
  origin: hosts.origin,
  retiredAt: hosts.retiredAt,
  pairedAt: hostCredentials.pairedAt,
  rotatedAt: hostCredentials.rotatedAt,
  vms: vmsOn,
};

/** Configured hosts by name; `after` is the last name of the page before. */
export async function listHosts(db: Reader, query: { after: string | null; limit: number; scope?: Scope }) {
  const known = and(eq(hosts.configured, true), query.scope ? inArray(hosts.id, [...query.scope]) : undefined);
  const rows = await db
    .select(columns)
    .from(hosts)
    .leftJoin(hostCredentials, eq(hostCredentials.hostId, hosts.id))
    .where(and(known, query.after === null ? undefined : gt(hosts.name, query.after)))
    .orderBy(asc(hosts.name))
    .limit(query.limit + 1);
  const [count] = await db.select({ n: sql<number>`count(*)::int` }).from(hosts).where(known);
  return { items: rows.slice(0, query.limit).map(shape), more: rows.length > query.limit, total: count?.n ?? 0 };
}

/** Names and ids of all hosts but these, retired ones too. */
export function listHostsBesides(db: Reader, but: readonly string[]): Promise<{ id: string; name: string }[]> {
  return db
    .select({ id: hosts.id, name: hosts.name })
    .from(hosts)
    .where(but.length > 0 ? notInArray(hosts.id, [...but]) : undefined);
}

export async function getHost(db: Reader, hostId: string): Promise<HostRow | null> {
  const [row] = await db
    .select(columns)
    .from(hosts)
    .leftJoin(hostCredentials, eq(hostCredentials.hostId, hosts.id))
    .where(eq(hosts.id, hostId));
  return row ? shape(row) : null;
}

/** The host answered. Returns whether it is known otherwise now; that time passed and clocks moved is no news. */
export async function markContact(
  tx: Tx,
  hostId: string,
  facts: HostFacts & { state: "online" | "degraded"; error: ObserveError | null },
): Promise<boolean> {
  const { clockSkewMs, ...shown } = facts;
  const [before] = await tx.select().from(hosts).where(eq(hosts.id, hostId)).for("update");
  await tx
    .update(hosts)
    .set({ ...facts, lastContactAt: new Date() })
    .where(eq(hosts.id, hostId));
  return before !== undefined && !isDeepStrictEqual({ ...before, ...shown }, before);
}

export async function markSwept(db: Reader, hostId: string, at: Date) {
  await db.update(hosts).set({ lastSweepAt: at, lastContactAt: at }).where(eq(hosts.id, hostId));
}

/** The host did not answer. What was read before stays. Says whether it was not offline yet, or is for another reason. */
export async function markOffline(
  tx: Tx,
  hostId: string,
  error: ObserveError,
): Promise<{ isNew: boolean; differs: boolean }> {
  const [before] = await tx.select().from(hosts).where(eq(hosts.id, hostId)).for("update");
  await tx.update(hosts).set({ state: "offline", error }).where(eq(hosts.id, hostId));
  const isNew = before?.state !== "offline";
  return { isNew, differs: isNew || !isDeepStrictEqual(before?.error, error) };
}

/** What the caller has of each VM on a host, for an observe that skips what did not change: `digest:countsDigest`. */
export async function knownDigests(db: Reader, hostId: string, vmIds?: string[]): Promise<Record<string, string>> {
  const rows = await db
    .select({ vmId: vmPresence.vmId, digest: vmPresence.digest, counts: vmPresence.countsDigest })
    .from(vmPresence)
    .where(
      and(
        eq(vmPresence.hostId, hostId),
        sql`${vmPresence.digest} is not null and ${vmPresence.error} is null and ${vmPresence.power} <> 'absent'`,
        vmIds ? inArray(vmPresence.vmId, vmIds) : undefined,
      ),
    );
  return Object.fromEntries(
    rows.map((row) => [row.vmId, row.counts ? `${row.digest}:${row.counts}` : (row.digest ?? "")]),
  );
}
