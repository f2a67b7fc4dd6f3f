/** What one web process holds: made by `startEngine`, found again by every bundle of it through a global symbol. */

import type { Db } from "#db/index.ts";
import type { Actor } from "./actor.ts";
import type { AgentClient } from "./agents/client.ts";
import type { Auth } from "./auth/better-auth.ts";
import type { ChangeHub } from "./changes.ts";
import type { Config, HostConfig } from "./config.ts";
import type { Metrics } from "./metrics.ts";
import type { Refusals } from "./refusals.ts";
import type { Sealer } from "./secrets.ts";
import type { Turns } from "./vms/turns.ts";

export type EngineHost = {
  id: string;
  name: string;
  config: Pick<HostConfig, "name" | "url"> & { pin?: string };
  agent: AgentClient;
  /** Of a host that was paired; absent for one of the configuration. */
  paired?: { sealedToken: string; confirmPending: boolean };
};

export type Engine = {
  db: Db;
  config: Config;
  auth: Auth;
  changes: ChangeHub;
  metrics: Metrics;
  refusals: Refusals;
  /** Of reads that hold a VM on its host. */
  turns: Turns;
  /** Hosts that are watched, by id. Tokens of configured ones live here and nowhere else. */
  hosts: Map<string, EngineHost>;
  /** Keeps tokens of paired hosts; null: there is no key, and nothing can be paired. */
  sealer: Sealer | null;
  startedAt: Date;
  stop: () => Promise<void>;
};

/** What a verb gets: who asks, and for which request. */
export type Context = {
  engine: Engine;
  actor: Actor;
  traceId: string;
  idempotencyKey?: string | null;
  /** For answers that take long: who asks, looked up again; null: nobody any more. */
  reauthenticate?: () => Promise<Actor | null>;
};

const KEY = Symbol.for("driftline.engine");
type Slot = { engine: Engine | null; starting: Promise<Engine> | null; failure: Error | null };

/** Next bundles instrumentation and routes apart, so a module variable would exist twice. */
export function engineSlot(): Slot {
  const holder = globalThis as { [KEY]?: Slot };
  holder[KEY] ??= { engine: null, starting: null, failure: null };
  return holder[KEY];
}

export const freshnessLimits = ({ policy }: Config) => ({
  freshSeconds: 2 * policy.observeEverySeconds,
  staleSeconds: policy.staleAfterSeconds,
});
