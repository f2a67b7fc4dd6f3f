import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  boolean,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import type { Finding, FindingKind, ImageIdentity, Severity } from "../../chain/model.ts";
import { FINDING_KINDS, SEVERITIES } from "../../chain/model.ts";
import { at, oneOf } from "./columns.ts";
import { hosts } from "./hosts.ts";
import { disks, vms } from "./vms.ts";

/** A finding's id holds names as a host gives them: longer than an entry of an index may be. */
const hashed = (id: AnyPgColumn) => sql`md5(${id})`;

/** Dirty counts over time, one row when one changed. Only live reads carry counts. */
export const dirtySamples = pgTable(
  "dirty_samples",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    vmId: uuid("vm_id").notNull(),
    diskId: uuid("disk_id").notNull(),
    bitmap: text("bitmap").notNull(),
    layerPath: text("layer_path").notNull(),
    dirtyBytes: bigint("dirty_bytes", { mode: "number" }).notNull(),
    granularity: bigint("granularity", { mode: "number" }).notNull(),
    runtimeId: text("runtime_id"),
    at: at("at").notNull(),
  },
  (t) => [
    foreignKey({ name: "dirty_samples_disk", columns: [t.vmId, t.diskId], foreignColumns: [disks.vmId, disks.id] }),
    index("dirty_samples_newest").on(t.vmId, t.id),
  ],
);

/**
 * The highest count that could be trusted, per bitmap and layer: a lower count later is a rewind. Kept beside the
 * series so that comparing costs what one VM has and not what its history has.
 */
export const dirtyPeaks = pgTable(
  "dirty_peaks",
  {
    vmId: uuid("vm_id").notNull(),
    diskId: uuid("disk_id").notNull(),
    bitmap: text("bitmap").notNull(),
    layerPath: text("layer_path").notNull(),
    dirtyBytes: bigint("dirty_bytes", { mode: "number" }).notNull(),
    granularity: bigint("granularity", { mode: "number" }).notNull(),
    runtimeId: text("runtime_id"),
    at: at("at").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.diskId, t.bitmap, t.layerPath] }),
    foreignKey({ name: "dirty_peaks_disk", columns: [t.vmId, t.diskId], foreignColumns: [disks.vmId, disks.id] }),
    index("dirty_peaks_by_vm").on(t.vmId),
  ],
);

/** One row for each time that a finding was there: from `since` until `endedAt`, which is null while it stands. */
export const findings = pgTable(
  "findings",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    findingId: text("finding_id").notNull(),
    kind: text("kind").$type<FindingKind>().notNull(),
    severity: text("severity").$type<Severity>().notNull(),
    severityRank: smallint("severity_rank").notNull(),
    body: jsonb("body").$type<Finding>().notNull(),
    acknowledged: boolean("acknowledged").notNull().default(false),
    since: at("since").notNull(),
    endedAt: at("ended_at"),
  },
  (t) => [
    oneOf("findings_kind_known", t.kind, FINDING_KINDS),
    oneOf("findings_severity_known", t.severity, SEVERITIES),
    uniqueIndex("findings_one_open").on(t.vmId, hashed(t.findingId)).where(sql`ended_at is null`),
    index("findings_newest").on(t.vmId, t.id),
  ],
);

/** Findings that a person accepted, with the reason given. */
export const findingAcknowledgements = pgTable(
  "finding_acknowledgements",
  {
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    findingId: text("finding_id").notNull(),
    actor: text("actor").notNull(),
    reason: text("reason"),
    revision: integer("revision").notNull(),
    at: at("at").notNull().defaultNow(),
  },
  (t) => [uniqueIndex("finding_acknowledgements_once").on(t.vmId, hashed(t.findingId))],
);

/** Image identities over time, one row when it changed. */
export const identitySamples = pgTable(
  "identity_samples",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    vmId: uuid("vm_id").notNull(),
    diskId: uuid("disk_id").notNull(),
    hostId: uuid("host_id")
      .notNull()
      .references(() => hosts.id),
    identity: jsonb("identity").$type<ImageIdentity>().notNull(),
    at: at("at").notNull(),
  },
  (t) => [
    foreignKey({ name: "identity_samples_disk", columns: [t.vmId, t.diskId], foreignColumns: [disks.vmId, disks.id] }),
    index("identity_samples_by_disk").on(t.diskId, t.hostId, t.id),
  ],
);
