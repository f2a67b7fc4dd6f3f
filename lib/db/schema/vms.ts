import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import type {
  Agreement,
  DirtyCount,
  DiskVerdict,
  ImageIdentity,
  NextBackup,
  Observation,
  ObserveError,
  Power,
} from "../../chain/model.ts";
import { AGREEMENTS, NEXT_BACKUPS, POWERS } from "../../chain/model.ts";
import { at, oneOf } from "./columns.ts";
import { hosts } from "./hosts.ts";

export type KindSummary = { kind: string; severity: string; count: number };

/**
 * A libvirt domain by its UUID. The lower half is a summary that the observation pipeline writes in the same
 * transaction as the findings, so that the fleet list reads one table.
 */
export const vms = pgTable(
  "vms",
  {
    id: uuid("id").primaryKey(),
    name: text("name").notNull(),
    /** The host that speaks for the VM: the one on which it runs, else the one that saw it last. */
    hostId: uuid("host_id").references(() => hosts.id),
    power: text("power").$type<Power>().notNull().default("unknown"),
    persistent: boolean("persistent").notNull().default(true),
    runtimeId: text("runtime_id"),
    firstSeenAt: at("first_seen_at").notNull().defaultNow(),
    /** Grows by one with every change of the record. */
    revision: integer("revision").notNull().default(0),
    /** The last sequence number that a recorded checkpoint of this VM got. */
    lastSequence: integer("last_sequence").notNull().default(0),

    observationId: bigint("observation_id", { mode: "number" }).references((): AnyPgColumn => observations.id),
    /** Last complete observation. */
    observedAt: at("observed_at"),
    triedAt: at("tried_at"),
    /** Why the newest attempt gave nothing; null when it worked. */
    error: jsonb("error").$type<ObserveError>(),
    agreement: text("agreement").$type<Agreement>().notNull().default("unknown"),
    nextBackup: text("next_backup").$type<NextBackup>().notNull().default("unknown"),
    verdicts: jsonb("verdicts").$type<DiskVerdict[]>().notNull().default([]),
    kinds: jsonb("kinds").$type<KindSummary[]>().notNull().default([]),
    kindNames: text("kind_names").array().notNull().default(sql`'{}'::text[]`),
    /** Position of the worst finding in SEVERITIES; 99: none. */
    severityRank: smallint("severity_rank").notNull().default(99),
    checkpointCount: integer("checkpoint_count").notNull().default(0),
    diskCount: integer("disk_count").notNull().default(0),
  },
  (t) => [
    oneOf("vms_power_known", t.power, POWERS),
    oneOf("vms_agreement_known", t.agreement, AGREEMENTS),
    oneOf("vms_next_backup_known", t.nextBackup, NEXT_BACKUPS),
    index("vms_by_name").on(t.name, t.id),
    index("vms_by_severity").on(t.severityRank, t.name, t.id),
    index("vms_by_checkpoints").on(t.checkpointCount, t.id),
    index("vms_by_observed").on(t.observedAt, t.id),
    index("vms_by_host").on(t.hostId),
    index("vms_by_observation").on(t.observationId),
    index("vms_by_kind").using("gin", t.kindNames),
  ],
);

/** Complete reads, stored once per digest and host. `lastSeenAt` moves while nothing changes. */
export const observations = pgTable(
  "observations",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    hostId: uuid("host_id")
      .notNull()
      .references(() => hosts.id),
    digest: text("digest").notNull(),
    body: jsonb("body").$type<Observation>().notNull(),
    firstSeenAt: at("first_seen_at").notNull(),
    lastSeenAt: at("last_seen_at").notNull(),
  },
  (t) => [unique("observations_once_per_digest").on(t.vmId, t.hostId, t.digest)],
);

/** What each host says of a VM: the same UUID may be defined on several and must run on at most one. */
export const vmPresence = pgTable(
  "vm_presence",
  {
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    hostId: uuid("host_id")
      .notNull()
      .references(() => hosts.id),
    power: text("power").$type<Power>().notNull(),
    runtimeId: text("runtime_id"),
    /** Since when this host shows it running or paused without a break. */
    activeSince: at("active_since"),
    observationId: bigint("observation_id", { mode: "number" }).references(() => observations.id),
    digest: text("digest"),
    countsDigest: text("counts_digest"),
    /** The newest dirty counts; they replace those in the observation's body, which is stored once per digest. */
    counts: jsonb("counts").$type<DirtyCount[]>().notNull().default([]),
    observedAt: at("observed_at"),
    triedAt: at("tried_at").notNull(),
    error: jsonb("error").$type<ObserveError>(),
  },
  (t) => [
    primaryKey({ columns: [t.vmId, t.hostId] }),
    oneOf("vm_presence_power_known", t.power, POWERS),
    index("vm_presence_by_host").on(t.hostId),
    index("vm_presence_by_observation").on(t.observationId),
  ],
);

export const disks = pgTable(
  "disks",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    target: text("target").notNull(),
    source: text("source"),
    format: text("format").notNull().default("unknown"),
    virtualSize: bigint("virtual_size", { mode: "number" }),
    /** The last identity that was proven or acknowledged, and the host on which it was read. */
    identity: jsonb("identity").$type<ImageIdentity>(),
    identityHostId: uuid("identity_host_id").references(() => hosts.id),
    /**
     * A block job that moved this disk or a migration was seen while the VM ran: the next identity in that run is taken as
     * the same disk. Seen on which host, and in which run; no run: the VM came there, and its run was not read yet.
     */
    moveProvenAt: at("move_proven_at"),
    moveProvenHostId: uuid("move_proven_host_id").references(() => hosts.id),
    moveProvenRun: text("move_proven_run"),
    firstSeenAt: at("first_seen_at").notNull().defaultNow(),
    lastSeenAt: at("last_seen_at"),
    retiredAt: at("retired_at"),
  },
  (t) => [unique("disks_one_target_a_vm").on(t.vmId, t.target), unique("disks_of_vm").on(t.vmId, t.id)],
);
