/** Paired hosts: who they are, how to reach them, and their sealed tokens. Nothing here can open a token. */
import { and, eq, inArray, ne, or, sql } from "drizzle-orm";
import type { Reader, Tx } from "./client.ts";
import { hostCredentials, hosts, jobs, vms } from "./schema/index.ts";

export type PairedHost = {
  id: string;
  name: string;
  url: string;
  certificate: string;
  sealedToken: string;
  confirmPending: boolean;
};

const columns = {
  id: hosts.id,
  name: hosts.name,
  url: hosts.url,
  certificate: hostCredentials.certificate,
  sealedToken: hostCredentials.sealedToken,
  confirmPending: hostCredentials.confirmPending,
};
const live = and(eq(hosts.origin, "paired"), eq(hosts.configured, true));

/** Every paired host that is not retired. */
export function listPairedHosts(db: Reader): Promise<PairedHost[]> {
  return db.select(columns).from(hosts).innerJoin(hostCredentials, eq(hostCredentials.hostId, hosts.id)).where(live);
}

export async function findPairedHost(db: Reader, hostId: string): Promise<PairedHost | null> {
  const [row] = await db
    .select(columns)
    .from(hosts)
    .innerJoin(hostCredentials, eq(hostCredentials.hostId, hosts.id))
    .where(and(live, eq(hosts.id, hostId)));
  return row ?? null;
}

/** A host that is watched and has this name or this address, if any; `but` is not looked at. */
export async function findHostLike(
  db: Reader,
  like: { name: string; url: string },
  but: string | null = null,
): Promise<{ id: string; name: string; url: string } | null> {
  const [row] = await db
    .select({ id: hosts.id, name: hosts.name, url: hosts.url })
    .from(hosts)
    .where(
      and(
        eq(hosts.configured, true),
        or(eq(hosts.name, like.name), eq(hosts.url, like.url)),
        but === null ? undefined : ne(hosts.id, but),
      ),
    )
    .limit(1);
  return row ?? null;
}

/**
 * Adds a paired host. One of that name that was retired or taken out comes back with its history; one that is watched
 * is a conflict: null, and nothing has changed.
 */
export async function insertPairedHost(tx: Tx, host: { name: string; url: string }): Promise<string | null> {
  const [row] = await tx
    .insert(hosts)
    .values({ ...host, origin: "paired" })
    .onConflictDoUpdate({
      target: hosts.name,
      set: { url: host.url, origin: "paired", configured: true, retiredAt: null, state: "never", error: null },
      setWhere: eq(hosts.configured, false),
    })
    .returning({ id: hosts.id });
  return row?.id ?? null;
}

/** The first token of a pairing, in place of any other. */
export async function sealCredential(
  tx: Tx,
  hostId: string,
  credential: { certificate: string; sealedToken: string },
): Promise<void> {
  const fresh = { ...credential, confirmPending: false, rotatedAt: null };
  await tx
    .insert(hostCredentials)
    .values({ hostId, ...fresh })
    .onConflictDoUpdate({ target: hostCredentials.hostId, set: { ...fresh, pairedAt: sql`now()` } });
}

export async function updatePairedHost(tx: Tx, hostId: string, change: { name?: string; url?: string }) {
  await tx.update(hosts).set(change).where(eq(hosts.id, hostId));
}

/** The token, and whether the agent still takes the one before it. */
export async function updateCredential(
  tx: Reader,
  hostId: string,
  change: { sealedToken?: string; confirmPending?: boolean; rotatedAt?: Date },
): Promise<void> {
  await tx.update(hostCredentials).set(change).where(eq(hostCredentials.hostId, hostId));
}

/** The agent has forgotten the token before this one. Changes nothing if another token has been kept since. */
export async function markConfirmed(db: Reader, hostId: string, sealedToken: string): Promise<boolean> {
  const own = and(eq(hostCredentials.hostId, hostId), eq(hostCredentials.sealedToken, sealedToken));
  const rows = await db
    .update(hostCredentials)
    .set({ confirmPending: false })
    .where(own)
    .returning({ hostId: hostCredentials.hostId });
  return rows.length > 0;
}

/** Takes the row's lock until the transaction ends. False: there is no such paired host any more. */
export async function lockPairedHost(tx: Tx, hostId: string): Promise<boolean> {
  const rows = await tx
    .select({ id: hosts.id })
    .from(hosts)
    .where(and(live, eq(hosts.id, hostId)))
    .for("update");
  return rows.length > 0;
}

/**
 * Whether a host is watched, and keeps it so until the transaction ends: who retires it waits, and then sees the job that
 * this transaction made. Reads that note what the host says go on meanwhile.
 */
export async function holdHost(tx: Tx, hostId: string): Promise<boolean> {
  const rows = await tx
    .select({ configured: hosts.configured })
    .from(hosts)
    .where(eq(hosts.id, hostId))
    .for("key share");
  return rows[0]?.configured ?? false;
}

/** The host stays in the history and is no longer watched; what opened its door is gone. */
export async function retirePairedHost(tx: Tx, hostId: string): Promise<void> {
  await tx.delete(hostCredentials).where(eq(hostCredentials.hostId, hostId));
  await tx
    .update(hosts)
    .set({ configured: false, state: "offline", retiredAt: sql`now()`, error: null })
    .where(eq(hosts.id, hostId));
}

/** Jobs that have not ended, of VMs that this host speaks for. */
export async function countOpenJobs(db: Reader, hostId: string): Promise<number> {
  const [row] = await db
    .select({ n: sql<number>`count(*)::int` })
    .from(jobs)
    .innerJoin(vms, eq(vms.id, jobs.vmId))
    .where(and(eq(vms.hostId, hostId), inArray(jobs.state, ["queued", "running"])));
  return row?.n ?? 0;
}
