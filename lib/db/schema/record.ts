import {
  bigint,
  boolean,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import type { BackupState, RecordOrigin, RecordState } from "../../chain/model.ts";
import { BACKUP_STATES, RECORD_ORIGINS, RECORD_STATES } from "../../chain/model.ts";
import { at, oneOf } from "./columns.ts";
import { hosts } from "./hosts.ts";
import { disks, vms } from "./vms.ts";

export const BACKUP_KINDS = ["full", "incremental", "mixed"] as const;

/** The record of a VM's checkpoints: the intent, whatever a host says. */
export const vmCheckpoints = pgTable(
  "vm_checkpoints",
  {
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    checkpointId: text("checkpoint_id").notNull(),
    parentId: text("parent_id"),
    creationDate: at("creation_date").notNull(),
    /** Order in which they were recorded, strictly increasing per VM: parents always come before their children. */
    sequence: integer("sequence").notNull(),
    state: text("state").$type<RecordState>().notNull(),
    origin: text("origin").$type<RecordOrigin>().notNull(),
    recordedAt: at("recorded_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.vmId, t.checkpointId] }),
    unique("vm_checkpoints_sequence").on(t.vmId, t.sequence),
    foreignKey({
      name: "vm_checkpoints_parent",
      columns: [t.vmId, t.parentId],
      foreignColumns: [t.vmId, t.checkpointId],
    }),
    oneOf("vm_checkpoints_state_known", t.state, RECORD_STATES),
    oneOf("vm_checkpoints_origin_known", t.origin, RECORD_ORIGINS),
    index("vm_checkpoints_by_parent").on(t.vmId, t.parentId),
  ],
);

export const vmCheckpointDiskMap = pgTable(
  "vm_checkpoint_disk_map",
  {
    vmId: uuid("vm_id").notNull(),
    checkpointId: text("checkpoint_id").notNull(),
    diskId: uuid("disk_id").notNull(),
    granularity: bigint("granularity", { mode: "number" }),
  },
  (t) => [
    primaryKey({ columns: [t.vmId, t.checkpointId, t.diskId] }),
    foreignKey({
      name: "vm_checkpoint_disk_map_checkpoint",
      columns: [t.vmId, t.checkpointId],
      foreignColumns: [vmCheckpoints.vmId, vmCheckpoints.checkpointId],
    }).onDelete("cascade"),
    foreignKey({
      name: "vm_checkpoint_disk_map_disk",
      columns: [t.vmId, t.diskId],
      foreignColumns: [disks.vmId, disks.id],
    }),
  ],
);

/** Backups, kept for ever. `checkpointId` has no foreign key: the history outlives the checkpoint that it made. */
export const vmBackups = pgTable(
  "vm_backups",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    vmId: uuid("vm_id")
      .notNull()
      .references(() => vms.id),
    checkpointId: text("checkpoint_id"),
    kind: text("kind").$type<(typeof BACKUP_KINDS)[number]>().notNull(),
    state: text("state").$type<BackupState>().notNull(),
    startedAt: at("started_at").notNull(),
    endedAt: at("ended_at"),
    bytes: bigint("bytes", { mode: "number" }),
    hostId: uuid("host_id").references(() => hosts.id),
    /** No foreign key: the history outlives jobs. */
    jobId: uuid("job_id"),
    error: text("error"),
  },
  (t) => [
    oneOf("vm_backups_kind_known", t.kind, BACKUP_KINDS),
    oneOf("vm_backups_state_known", t.state, BACKUP_STATES),
    index("vm_backups_newest").on(t.vmId, t.startedAt, t.id),
  ],
);

export const vmBackupDiskMap = pgTable(
  "vm_backup_disk_map",
  {
    backupId: uuid("backup_id")
      .notNull()
      .references(() => vmBackups.id),
    diskId: uuid("disk_id")
      .notNull()
      .references(() => disks.id),
    mode: text("mode").notNull(),
    baseCheckpointId: text("base_checkpoint_id"),
    path: text("path"),
    backing: text("backing"),
    /** Hex SHA-256 of the disk's content as read back from the chain of files when the backup had finished. */
    sha256: text("sha256"),
    virtualSize: bigint("virtual_size", { mode: "number" }),
    bytes: bigint("bytes", { mode: "number" }),
  },
  (t) => [
    primaryKey({ columns: [t.backupId, t.diskId] }),
    oneOf("vm_backup_disk_map_mode_known", t.mode, ["full", "incremental"]),
  ],
);

/** Restore proofs, one row each. */
export const backupVerifications = pgTable(
  "backup_verifications",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    backupId: uuid("backup_id")
      .notNull()
      .references(() => vmBackups.id),
    at: at("at").notNull().defaultNow(),
    actor: text("actor").notNull(),
    ok: boolean("ok").notNull(),
    detail: text("detail").notNull(),
    disks: jsonb("disks").$type<Record<string, unknown>[]>().notNull(),
  },
  (t) => [index("backup_verifications_newest").on(t.backupId, t.at)],
);
