import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";
import { serverProcesses } from "./embedded-files.ts";
import { migrate } from "./migrate.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function tempDir(): string {
  const dir = mkdtempSync("/tmp/dl-engine-db-");
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function start(dataDir: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir });
  cleanups.push(() => server.stop());
  return server;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function until(holds: () => Promise<boolean> | boolean, limitMs = 20_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it did not happen in time");
    await delay(20);
  }
}

test("data survives a stop and a start, and nothing listens on the network", async () => {
  const dir = tempDir();
  const first = await start(dir);
  await query(first.url, "create table t (n int); insert into t values (7)");
  expect(await query(first.url, "show listen_addresses")).toEqual([{ listen_addresses: "" }]);
  expect(await query(first.url, "show fsync")).toEqual([{ fsync: "on" }]);
  await first.stop();
  const again = await start(dir);
  expect(await query(again.url, "select n from t")).toEqual([{ n: 7 }]);
});

test("a server that is killed comes back by itself with what was committed", async () => {
  const server = await start(tempDir());
  await query(server.url, "create table t (n int); insert into t values (1)");
  const killed = server.pid();
  if (killed === null) throw new Error("the server has no pid");
  process.kill(killed, "SIGKILL");
  await until(() =>
    query(server.url, "select n from t").then(
      (rows) => rows.length === 1,
      () => false,
    ),
  );
  expect(server.pid()).not.toBe(killed);
});

test("a directory whose owner lives is refused, with the owner's pid", async () => {
  const dir = tempDir();
  await start(dir);
  await expect(startEmbeddedPostgres({ dataDir: dir })).rejects.toThrow(`process ${process.pid}`);
});

test("a server that a killed owner left running is stopped and its data kept", async () => {
  const dir = tempDir();
  const orphan = await start(dir);
  await query(orphan.url, "create table t (n int); insert into t values (3)");
  writeFileSync(path.join(dir, "postgres.owner"), JSON.stringify({ pid: 2 ** 22 - 1, start: "1" }));
  const taken = await start(dir);
  expect(await query(taken.url, "select n from t")).toEqual([{ n: 3 }]);
  const inUse = serverProcesses(path.join(dir, "postgres"));
  expect(inUse).toContain(taken.pid());
});

test("a lock file that names an unrelated living process does not stop the start", async () => {
  const dir = tempDir();
  await (await start(dir)).stop();
  writeFileSync(path.join(dir, "postgres", "postmaster.pid"), `${process.ppid}\n${dir}/postgres\n`);
  const server = await start(dir);
  expect(await query(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("data of another major version is refused with what to do", async () => {
  const dir = tempDir();
  await (await start(dir)).stop();
  writeFileSync(path.join(dir, "postgres", "PG_VERSION"), "13\n");
  await expect(startEmbeddedPostgres({ dataDir: dir })).rejects.toThrow(/made by PostgreSQL 13.*pg_dump/);
});

test("what an interrupted first start left half made is not taken for a database", async () => {
  const dir = tempDir();
  const half = path.join(dir, "postgres.new-77");
  mkdirSync(half);
  writeFileSync(path.join(half, "PG_VERSION"), "15\n");
  const server = await start(dir);
  expect(await query(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
  expect(existsSync(half)).toBe(false);
});

test("a data directory with a long path gets a short socket and works", async () => {
  const dir = path.join(tempDir(), "d".repeat(150));
  const server = await start(dir);
  expect(await query(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
  cleanups.push(() => rmSync(new URL(server.url).searchParams.get("host") ?? "", { recursive: true, force: true }));
});

test("migrations run at once from several processes apply once, and again change nothing", async () => {
  const server = await start(tempDir());
  await Promise.all([migrate(server.url), migrate(server.url), migrate(server.url)]);
  const applied = await query(server.url, "select count(*)::int as n from schema_migrations");
  await migrate(server.url);
  expect(await query(server.url, "select count(*)::int as n from schema_migrations")).toEqual(applied);
  const tables = await query(server.url, "select tablename from pg_tables where schemaname = 'public'");
  expect(tables.map((row) => row.tablename)).toEqual(
    expect.arrayContaining(["vm_checkpoints", "vm_checkpoint_disk_map", "findings"]),
  );
});

test("the audit log takes new rows and refuses to change old ones", async () => {
  const server = await start(tempDir());
  await migrate(server.url);
  await query(server.url, "insert into audit_log (actor, action, outcome) values ('a', 'b', 'done')");
  await expect(query(server.url, "update audit_log set actor = 'x'")).rejects.toThrow("append-only");
  await expect(query(server.url, "delete from audit_log")).rejects.toThrow("append-only");
});
