/** Brings the engine of this process up: configuration, schema, hosts, people, watchers. */
import { lead, listHosts, migrate, openDatabase } from "#db/index.ts";
import { createAgentClient } from "./agents/client.ts";
import { applyConfig } from "./auth/apply-config.ts";
import { createAuth } from "./auth/better-auth.ts";
import { offerSetup } from "./auth/setup.ts";
import { openChanges } from "./changes.ts";
import type { Config } from "./config.ts";
import { syncPairedHosts } from "./hosts/paired.ts";
import { openQueue } from "./jobs/queue.ts";
import { startWorkers } from "./jobs/workers.ts";
import { log } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { startPolicy } from "./policy/runner.ts";
import { openRefusals } from "./refusals.ts";
import { startRetention } from "./retention/run.ts";
import { makeSealer } from "./secrets.ts";
import { type Engine, type EngineHost, engineSlot } from "./state.ts";
import { openTurns } from "./vms/turns.ts";
import { type Watcher, watchHost } from "./watch/host-watcher.ts";

const RETRY_MS = 2_000;
/** Led like a host, by one process of all. */
const RETENTION = "retention";

export type StartOptions = {
  databaseUrl: string;
  config: Config;
  /** False: answers requests but observes nothing by itself (tests). */
  watch?: boolean;
  /** False: runs no jobs (tests). */
  work?: boolean;
  /** Where people reach this server, for the one-time link. */
  site?: string;
  /** Under which tokens of paired hosts are kept; absent: none can be paired. */
  secretKey?: Buffer | null;
};

/** Starts everything once. Throws when the database does not answer or the configuration cannot be applied. */
export async function startEngine(options: StartOptions): Promise<Engine> {
  const { config } = options;
  await migrate(options.databaseUrl);
  const db = openDatabase(options.databaseUrl, {
    onError: (err) => log.warn({ err }, "an idle database connection was lost"),
  });
  try {
    for (const change of await applyConfig(db, config)) log.info({ change }, "configuration applied");
    const hosts = await openHosts(db, config);
    const setup = await offerSetup(db, config);
    // Not through the log: it would be kept there.
    if (setup)
      process.stdout.write(
        `\nMake the first administrator (valid for one day, works once):\n  ${options.site ?? ""}${setup}\n\n`,
      );
    const metrics = createMetrics();
    const engine: Engine = {
      db,
      config,
      auth: await createAuth(db),
      changes: openChanges(options.databaseUrl),
      metrics,
      refusals: openRefusals(db, metrics),
      turns: openTurns(),
      hosts,
      sealer: options.secretKey ? makeSealer(options.secretKey) : null,
      startedAt: new Date(),
      stop: async () => {},
    };
    await syncPairedHosts(engine);
    engine.changes.onHosts(() => {
      syncPairedHosts(engine).catch((err) => log.warn({ err }, "hosts that were paired elsewhere could not be read"));
    });
    const queue = await openQueue(options.databaseUrl);
    const stopWatching = options.watch === false ? async () => {} : startWatching(engine, options.databaseUrl);
    const workers = options.work === false ? null : await startWorkers(engine, queue);
    engine.stop = async () => {
      await workers?.stop();
      await stopWatching();
      await queue.stop();
      await engine.changes.stop();
      await Promise.all([...hosts.values()].map((host) => host.agent.close()));
      await engine.refusals.flush();
      await db.close();
    };
    return engine;
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function openHosts(db: Engine["db"], config: Config): Promise<Map<string, EngineHost>> {
  const { items } = await listHosts(db.orm, { after: null, limit: 10_000 });
  const byName = new Map(items.map((row) => [row.name, row.id]));
  const hosts = new Map<string, EngineHost>();
  for (const one of config.hosts) {
    const id = byName.get(one.name);
    if (id) hosts.set(id, { id, name: one.name, config: one, agent: createAgentClient(one) });
  }
  return hosts;
}

/** One process watches a host, and one keeps house, at a time, whichever comes first; another takes over when that one is gone. */
function startWatching(engine: Engine, url: string): () => Promise<void> {
  const watchers = new Set<Watcher>();
  const watched = new Set<string>();
  const policy = startPolicy(engine, watched);
  const leadership = lead(
    url,
    () => [RETENTION, ...engine.hosts.keys()],
    (hostId) => {
      if (hostId === RETENTION) return startRetention(engine);
      const host = engine.hosts.get(hostId);
      if (!host) return () => {};
      log.info({ host: host.name }, "watching the host");
      const watcher = watchHost(engine, host, policy.consider);
      watchers.add(watcher);
      watched.add(hostId);
      return () => {
        watched.delete(hostId);
        watchers.delete(watcher);
        void watcher.stop();
      };
    },
  );
  return async () => {
    const running = [...watchers];
    await leadership.stop();
    await Promise.all(running.map((watcher) => watcher.stop()));
    await policy.stop();
  };
}

/**
 * Starts the engine of this process and keeps trying while the database is away: the pages then say so instead of
 * the process being gone. A wrong configuration is not tried again.
 */
export function startEngineOnce(load: () => Promise<StartOptions>): Promise<Engine> {
  const slot = engineSlot();
  slot.starting ??= (async () => {
    const options = await load();
    for (;;) {
      try {
        slot.engine = await startEngine(options);
        slot.failure = null;
        log.info({ hosts: slot.engine.hosts.size }, "engine started");
        return slot.engine;
      } catch (error) {
        slot.failure = error instanceof Error ? error : new Error(String(error));
        log.error({ err: slot.failure }, "the engine could not start; trying again");
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  })();
  return slot.starting;
}
