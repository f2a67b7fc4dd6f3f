import { boolean, integer, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import type { ObserveError } from "../../chain/model.ts";
import { at, oneOf } from "./columns.ts";

export const HOST_STATES = ["online", "degraded", "offline", "never"] as const;
export const HOST_KINDS = ["libvirt", "simulated", "unknown"] as const;

/** One row an agent. Its token is not here: it lives in the configuration and in memory only. */
export const hosts = pgTable(
  "hosts",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    name: text("name").notNull().unique(),
    url: text("url").notNull(),
    kind: text("kind").$type<(typeof HOST_KINDS)[number]>().notNull().default("unknown"),
    state: text("state").$type<(typeof HOST_STATES)[number]>().notNull().default("never"),
    /** False: no longer in the configuration. The row stays because observations and the audit point at it. */
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
  },
  (t) => [oneOf("hosts_kind_known", t.kind, HOST_KINDS), oneOf("hosts_state_known", t.state, HOST_STATES)],
);
