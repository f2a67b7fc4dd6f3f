/** The one connection pool of a process, and what a transaction is. */
import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import * as schema from "./schema/index.ts";

// int8: ids and byte counts. They are safe integers by contract.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

type Orm = NodePgDatabase<typeof schema>;
/** The database outside a transaction. */
export type Db = { orm: Orm; pool: pg.Pool; url: string; close: () => Promise<void> };
/** Inside a transaction: the only thing to query with until it ends. */
export type Tx = Parameters<Parameters<Orm["transaction"]>[0]>[0];
/** Either; for reads that may run in both. */
export type Reader = Orm | Tx;

export type DbOptions = {
  max?: number;
  /** A lost idle connection; the pool replaces it by itself. */
  onError?: (error: Error) => void;
};

/** Opens nothing yet: the first query connects. A database that restarts is found again by the next query. */
export function openDatabase(url: string, options: DbOptions = {}): Db {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? 12,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 60_000,
    application_name: "driftline",
    // Compiling a query costs more than any of ours runs.
    options: "-c jit=off",
    keepAlive: true,
  });
  // Without a listener an idle client's error would end the process.
  pool.on("error", (error) => options.onError?.(error));
  pool.on("connect", (client) => client.on("error", () => {}));
  const orm = drizzle(pool, { schema });
  return { orm, pool, url, close: () => pool.end() };
}

export function inTransaction<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  return db.orm.transaction(work);
}

/** Throws when the database does not answer. */
export async function ping(db: Db): Promise<void> {
  await db.orm.execute(sql`select 1`);
}

export const iso = (at: Date): string => at.toISOString();
export const isoOrNull = (at: Date | null): string | null => (at ? at.toISOString() : null);
/** The driver hands back raw `sql` times as strings or dates, depending on the way; this takes both. */
export const toIso = (at: unknown): string => new Date(at as string | Date).toISOString();
export const toIsoOrNull = (at: unknown): string | null => (at === null || at === undefined ? null : toIso(at));

/** Whether an error is a lost or refused connection and not an answer of the database. */
export function isConnectionError(error: unknown): boolean {
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code;
    // 57P..: shutdown and start-up; 08...: connection; 53300: too many clients.
    if (typeof code === "string" && /^(ECONN|EPIPE|ENOENT|ENOTFOUND|ETIMEDOUT|57P0|08|53300)/.test(code)) return true;
    if (/Connection terminated|timeout exceeded when trying to connect|Client was closed|not queryable/.test(e.message))
      return true;
  }
  return false;
}

/** Name of the unique constraint that a write ran into, or null when the error is another. */
export function uniqueViolation(error: unknown): string | null {
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    const found = e as { code?: unknown; constraint?: unknown };
    if (found.code === "23505") return typeof found.constraint === "string" ? found.constraint : "";
  }
  return null;
}
