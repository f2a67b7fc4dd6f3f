import {
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
import type { Plan, PlanBasis } from "../../chain/plan/model.ts";
import { PLAN_INTENTS } from "../../chain/plan/model.ts";
import { at, oneOf } from "./columns.ts";
import { hosts } from "./hosts.ts";
import { vms } from "./vms.ts";

export const PLAN_STATES = ["ready", "applied", "expired", "out-of-date"] as const;
export const JOB_STATES = ["queued", "running", "succeeded", "failed", "cancelled", "lost"] as const;
export const STEP_STATES = ["queued", "running", "succeeded", "failed", "skipped"] as const;

export type PlanChange = { what: string; was: string; is: string };
export type PlanRefusalRow = { field: string | null; code: string; reason: string };

/** One plan with a part per VM. `refused`: the VMs that got no plan, and why. */
export const planGroups = pgTable("plan_groups", {
  id: uuid("id").primaryKey().defaultRandom(),
  intent: text("intent").$type<(typeof PLAN_INTENTS)[number]>().notNull(),
  refused: jsonb("refused").$type<{ vmId: string; refusals: PlanRefusalRow[] }[]>().notNull().default([]),
  createdBy: text("created_by").notNull(),
  createdAt: at("created_at").notNull().defaultNow(),
  expiresAt: at("expires_at").notNull(),
});

/** What would be done, computed from a basis; a value that stays readable for ever. */
export const plans = pgTable(
  "plans",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    groupId: uuid("group_id").references(() => planGroups.id),
    intent: text("intent").$type<(typeof PLAN_INTENTS)[number]>().notNull(),
    tier: smallint("tier").notNull(),
    basis: jsonb("basis").$type<PlanBasis>().notNull(),
    /** The whole value as it was computed; it is never changed. */
    body: jsonb("body").$type<Plan>().notNull(),
    /** Why it was refused as out of date. */
    changes: jsonb("changes").$type<PlanChange[]>().notNull().default([]),
    state: text("state").$type<(typeof PLAN_STATES)[number]>().notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    oneOf("plans_intent_known", t.intent, PLAN_INTENTS),
    oneOf("plans_state_known", t.state, PLAN_STATES),
    index("plans_by_vm").on(t.vmId, t.createdAt),
    index("plans_by_group").on(t.groupId),
  ],
);

/** The one execution of a plan. */
export const jobs = pgTable(
  "jobs",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    planId: uuid("plan_id")
      .unique()
      .references(() => plans.id),
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    kind: text("kind").$type<(typeof PLAN_INTENTS)[number]>().notNull(),
    state: text("state").$type<(typeof JOB_STATES)[number]>().notNull(),
    idempotencyKey: text("idempotency_key"),
    actor: text("actor").notNull().default("driftline"),
    role: text("role"),
    reason: text("reason"),
    traceId: text("trace_id"),
    cancelRequestedAt: at("cancel_requested_at"),
    lostContactSince: at("lost_contact_since"),
    /** Since when the host answers and what is to be done does not succeed; null: it goes on. */
    troubleSince: at("trouble_since"),
    error: text("error"),
    doneBytes: bigint("done_bytes", { mode: "number" }),
    totalBytes: bigint("total_bytes", { mode: "number" }),
    /** What was observed afterwards. */
    proof: jsonb("proof").$type<Record<string, unknown>>(),
    createdAt: at("created_at").notNull().defaultNow(),
    startedAt: at("started_at"),
    endedAt: at("ended_at"),
  },
  (t) => [
    oneOf("jobs_kind_known", t.kind, PLAN_INTENTS),
    oneOf("jobs_state_known", t.state, JOB_STATES),
    unique("jobs_once_per_key").on(t.vmId, t.idempotencyKey),
    index("jobs_newest").on(t.createdAt, t.id),
    index("jobs_by_vm").on(t.vmId, t.createdAt),
  ],
);

export const jobSteps = pgTable(
  "job_steps",
  {
    jobId: uuid("job_id")
      .notNull()
      .references(() => jobs.id),
    n: integer("n").notNull(),
    state: text("state").$type<(typeof STEP_STATES)[number]>().notNull(),
    checkpointIds: text("checkpoint_ids").array(),
    disks: text("disks").array(),
    startedAt: at("started_at"),
    endedAt: at("ended_at"),
    error: text("error"),
    hostMessage: text("host_message"),
    outcome: text("outcome"),
  },
  (t) => [primaryKey({ columns: [t.jobId, t.n] }), oneOf("job_steps_state_known", t.state, STEP_STATES)],
);

/** Who may change a VM now: one job at a time. A lease that ran out may be taken over; its owner notices and stops. */
export const vmLeases = pgTable("vm_leases", {
  vmId: uuid("vm_id")
    .primaryKey()
    .references(() => vms.id),
  jobId: uuid("job_id")
    .notNull()
    .references(() => jobs.id),
  /** The process that holds it. */
  holder: text("holder").notNull(),
  takenAt: at("taken_at").notNull().defaultNow(),
  expiresAt: at("expires_at").notNull(),
});

/** Append-only; a trigger in the migrations refuses updates and deletes. */
export const auditLog = pgTable(
  "audit_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: at("at").notNull().defaultNow(),
    actor: text("actor").notNull(),
    role: text("role"),
    action: text("action").notNull(),
    subject: text("subject"),
    outcome: text("outcome").$type<"done" | "unchanged" | "refused" | "failed">().notNull(),
    detail: text("detail"),
    traceId: text("trace_id"),
    planId: uuid("plan_id"),
    jobId: uuid("job_id"),
    /** Given by the person. */
    reason: text("reason"),
  },
  (t) => [
    oneOf("audit_log_outcome_known", t.outcome, ["done", "unchanged", "refused", "failed"]),
    index("audit_log_by_subject").on(t.subject, t.id),
    index("audit_log_by_actor").on(t.actor, t.id),
  ],
);

export const KEY_SOURCES = ["configuration", "console"] as const;

/** Programs' keys, as SHA-256 only. One of the configuration that left it is revoked. */
export const apiKeys = pgTable(
  "api_keys",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    name: text("name").notNull().unique(),
    role: text("role").notNull(),
    sha256: text("sha256").notNull().unique(),
    source: text("source").$type<(typeof KEY_SOURCES)[number]>().notNull().default("configuration"),
    /** False: only the hosts of `api_key_hosts`, and without a row there none at all. */
    allHosts: boolean("all_hosts").notNull().default(true),
    expiresAt: at("expires_at"),
    createdBy: text("created_by"),
    revoked: boolean("revoked").notNull().default(false),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    oneOf("api_keys_role_known", t.role, ["viewer", "support", "operator", "admin"]),
    oneOf("api_keys_source_known", t.source, KEY_SOURCES),
  ],
);

export const apiKeyHosts = pgTable(
  "api_key_hosts",
  {
    keyId: uuid("key_id")
      .notNull()
      .references(() => apiKeys.id),
    hostId: uuid("host_id")
      .notNull()
      .references(() => hosts.id),
  },
  (t) => [primaryKey({ columns: [t.keyId, t.hostId] })],
);

/** When a key was last used; apart, because it is written far more often than a key is changed. */
export const apiKeyUses = pgTable("api_key_uses", {
  keyId: uuid("key_id")
    .primaryKey()
    .references(() => apiKeys.id),
  lastUsedAt: at("last_used_at").notNull(),
});

/** One-time links, as SHA-256: the one that makes the first admin. */
export const setupTokens = pgTable("setup_tokens", {
  sha256: text("sha256").primaryKey(),
  createdAt: at("created_at").notNull().defaultNow(),
  expiresAt: at("expires_at").notNull(),
  usedAt: at("used_at"),
});
