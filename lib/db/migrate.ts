/** Brings a database to this version's schema. */
import path from "node:path";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as applyMigrations } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import type { Tx } from "./client.ts";

/** Any fixed number: all web processes of one database take the same lock. */
const MIGRATION_LOCK = 7_411_001;

const CONFIGURATION_LOCK = 7_411_003;

/** Held until the transaction ends: web processes that start together apply their configuration one after another. */
export async function lockConfiguration(tx: Tx): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${CONFIGURATION_LOCK})`);
}

/** Where the migrations lie: beside the sources, also when this code runs from Next's build. */
const migrationsFolder = path.join(process.cwd(), "lib", "db", "migrations");

/** Applies what is missing. Several processes may call it at once: one works, the others wait and find nothing to do. */
export async function migrate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: "driftline-migrate" });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await applyMigrations(drizzle(client), {
      migrationsFolder,
      migrationsSchema: "public",
      migrationsTable: "schema_migrations",
    });
  } finally {
    // Ending the session lets the lock go.
    await client.end();
  }
}
