/** A database, simulated hosts with real agents, and engines over them, for tests. */
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import { pino } from "pino";
import { startAgent } from "#agent/agent.ts";
import { parseConfig as parseAgentConfig } from "#agent/config.ts";
import { SimController } from "#agent/simulated/controller.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "#db/embedded.ts";
import { parseConfig } from "../config.ts";
import { handleApi } from "../http/handle.ts";
import { startEngine } from "../start.ts";
import type { Engine } from "../state.ts";

export const KEYS = {
  viewer: "key-of-viewer",
  support: "key-of-support",
  operator: "key-of-operator",
  admin: "key-of-admin",
};
export type KeyRole = keyof typeof KEYS;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export const apiKeys = Object.entries(KEYS).map(([role, key]) => ({ name: role, role, sha256: sha256(key) }));

export type SimHost = {
  name: string;
  sim: SimController;
  /** For the engine's configuration. */
  config: { name: string; url: string; token: string };
  /** The agent ends; nobody answers at its address any more. */
  stop: () => Promise<void>;
  /** It answers again, at the same address. */
  start: () => Promise<void>;
};

/** Under which the rig's engines keep tokens of paired hosts. */
const SECRET_KEY = Buffer.alloc(32, 7);

export type Rig = {
  dir: string;
  postgres: EmbeddedPostgres;
  /** A new, empty database on the same server. */
  newDatabase: () => Promise<string>;
  newHost: (name: string) => Promise<SimHost>;
  newEngine: (
    url: string,
    hosts: SimHost[],
    more?: {
      watch?: boolean;
      work?: boolean;
      policy?: object;
      admin?: object;
      oidc?: object;
      secretKey?: Buffer | null;
    },
  ) => Promise<Engine>;
  /** Between two tests: a database takes only so many connections. */
  stopEngines: () => Promise<void>;
  close: () => Promise<void>;
};

export async function openRig(): Promise<Rig> {
  const dir = mkdtempSync("/tmp/dl-engine-rig-");
  const postgres = await startEmbeddedPostgres({ dataDir: dir });
  const engines = new Set<Engine>();
  const hosts = new Set<SimHost>();
  return {
    dir,
    postgres,
    newDatabase: async () => {
      const name = `t_${randomUUID().replaceAll("-", "")}`;
      const client = new pg.Client({ connectionString: postgres.url });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      const url = new URL(postgres.url);
      url.pathname = `/${name}`;
      return url.toString();
    },
    newHost: async (name) => {
      const host = await openSimHost(dir, name);
      hosts.add(host);
      return host;
    },
    newEngine: async (url, simHosts, more = {}) => {
      const config = parseConfig({
        hosts: simHosts.map((host) => host.config),
        apiKeys,
        // Drift is made to be looked at: nothing mends it unless a test asks for that.
        policy: { redefineOnStart: "ask", observeEverySeconds: 3_600, staleAfterSeconds: 7_200, ...more.policy },
        ...(more.admin ? { admin: more.admin } : {}),
        ...(more.oidc ? { oidc: more.oidc } : {}),
      });
      const engine = await startEngine({
        databaseUrl: url,
        config,
        watch: more.watch ?? false,
        work: more.work,
        secretKey: more.secretKey === undefined ? SECRET_KEY : more.secretKey,
      });
      engines.add(engine);
      return engine;
    },
    stopEngines: async () => {
      for (const engine of engines) await engine.stop().catch(() => {});
      engines.clear();
    },
    close: async () => {
      for (const engine of engines) await engine.stop().catch(() => {});
      for (const host of hosts) await host.stop().catch(() => {});
      await postgres.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function openSimHost(dir: string, name: string): Promise<SimHost> {
  const sim = new SimController(path.join(dir, `${name}.json`));
  const token = randomUUID();
  const url = `unix:${path.join(dir, `${name}.sock`)}`;
  const repository = path.join(dir, `${name}-backups`);
  mkdirSync(repository);
  const config = parseAgentConfig({
    name,
    listen: url,
    libvirtUri: sim.uri,
    tokenSha256: [sha256(token)],
    repositories: [repository],
  });
  const start = () => startAgent(config, pino({ level: "silent" }));
  let agent: Awaited<ReturnType<typeof start>> | null = await start();
  return {
    name,
    sim,
    config: { name, url, token },
    stop: async () => {
      await agent?.close();
      agent = null;
    },
    start: async () => {
      agent ??= await start();
    },
  };
}

export type Answer = { status: number; type: string | null; headers: Headers; body: unknown };

/** One request as a program sends it. */
export async function call(
  engine: Engine,
  method: string,
  address: string,
  options: { role?: KeyRole | null; body?: unknown; text?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const role = options.role === undefined ? "admin" : options.role;
  const headers = new Headers({ host: "driftline.test", ...options.headers });
  if (role) headers.set("authorization", `Bearer ${KEYS[role]}`);
  const text = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  if (text !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
  const request = new Request(`http://driftline.test/api/v1${address}`, { method, headers, body: text });
  const response = await handleApi(engine, request);
  const raw = await response.text();
  let body: unknown = raw;
  try {
    body = JSON.parse(raw);
  } catch {
    // Not JSON.
  }
  return { status: response.status, type: response.headers.get("content-type"), headers: response.headers, body };
}

/** Waits until `read` gives something that holds; fails with the last value when it does not come to be. */
export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean, limitMs = 15_000): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > deadline)
      throw new Error(`it did not happen in time; the last value was ${JSON.stringify(value)?.slice(0, 2_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** When a key was last used moves with every request, whatever that does. */
const MOVES = "api_key_uses";

/** Everything in the database but what merely moves with time, to prove that nothing changed. */
export async function snapshot(url: string, leaveOut: string[] = []): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const tables = await client.query("select tablename from pg_tables where schemaname = 'public' order by 1");
    const parts: unknown[] = [];
    for (const { tablename } of tables.rows) {
      if (tablename === MOVES || leaveOut.includes(tablename)) continue;
      const rows = await client.query(`select to_jsonb(t) as row from "${tablename}" t order by 1::text`);
      parts.push([tablename, rows.rows.map(({ row }) => row)]);
    }
    return JSON.stringify(parts);
  } finally {
    await client.end();
  }
}
