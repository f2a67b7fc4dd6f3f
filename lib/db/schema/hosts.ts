import { boolean, integer, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import type { ObserveError } from "../../chain/model.ts";
import { at, oneOf } from "./columns.ts";

export const HOST_STATES = ["online", "degraded", "offline", "never"] as const;
export const HOST_KINDS = ["libvirt", "simulated", "unknown"] as const;

export const HOST_ORIGINS = ["configuration", "paired"] as const;

/** One row an agent. Its token is not here: see `hostCredentials`. */
export const hosts = pgTable(
  "hosts",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    name: text("name").notNull().unique(),
    url: text("url").notNull(),
    kind: text("kind").$type<(typeof HOST_KINDS)[number]>().notNull().default("unknown"),
    state: text("state").$type<(typeof HOST_STATES)[number]>().notNull().default("never"),
    /** Who says that there is this host: the configuration file, or an administrator who paired it. */
    origin: text("origin").$type<(typeof HOST_ORIGINS)[number]>().notNull().default("configuration"),
    /** False: taken out or retired. The row stays because observations and the audit point at it. */
    configured: boolean("configured").notNull().default(true),
    lastContactAt: at("last_contact_at"),
    lastSweepAt: at("last_sweep_at"),
    error: jsonb("error").$type<ObserveError>(),
    libvirtVersion: text("libvirt_version"),
    qemuVersion: text("qemu_version"),
    agentVersion: text("agent_version"),
    clockSkewMs: integer("clock_skew_ms"),
    capabilities: jsonb("capabilities").$type<Record<string, boolean>>().notNull().default({}),
    switchedOff: jsonb("switched_off").$type<{ what: string; why: string }[]>().notNull().default([]),
    createdAt: at("created_at").notNull().defaultNow(),
    retiredAt: at("retired_at"),
  },
  (t) => [
    oneOf("hosts_kind_known", t.kind, HOST_KINDS),
    oneOf("hosts_state_known", t.state, HOST_STATES),
    oneOf("hosts_origin_known", t.origin, HOST_ORIGINS),
  ],
);

/**
 * What it takes to talk to a paired host. Tokens are sealed (AES-256-GCM) under a key that is not in the database; the
 * token of a configured host is in the configuration and in memory only.
 */
export const hostCredentials = pgTable("host_credentials", {
  hostId: uuid("host_id")
    .primaryKey()
    .references(() => hosts.id),
  /** The agent's own certificate, PEM: the only one that is taken. */
  certificate: text("certificate").notNull(),
  sealedToken: text("sealed_token").notNull(),
  /** The agent still takes the token before this one. */
  confirmPending: boolean("confirm_pending").notNull().default(false),
  pairedAt: at("paired_at").notNull().defaultNow(),
  rotatedAt: at("rotated_at"),
});
