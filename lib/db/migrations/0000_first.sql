CREATE TABLE "auth_accounts" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"provider_id" text NOT NULL,
	"user_id" text NOT NULL,
	"access_token" text,
	"refresh_token" text,
	"id_token" text,
	"access_token_expires_at" timestamp (3) with time zone,
	"refresh_token_expires_at" timestamp (3) with time zone,
	"scope" text,
	"password" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "auth_rate_limits" (
	"id" text PRIMARY KEY NOT NULL,
	"key" text NOT NULL,
	"count" integer NOT NULL,
	"last_request" bigint NOT NULL,
	CONSTRAINT "auth_rate_limits_key_unique" UNIQUE("key")
);
--> statement-breakpoint
CREATE TABLE "auth_sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"token" text NOT NULL,
	"user_id" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "auth_sessions_token_unique" UNIQUE("token")
);
--> statement-breakpoint
CREATE TABLE "auth_users" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"role" text DEFAULT 'viewer' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "auth_users_email_unique" UNIQUE("email"),
	CONSTRAINT "auth_users_role_known" CHECK ("auth_users"."role" in ('viewer', 'support', 'operator', 'admin'))
);
--> statement-breakpoint
CREATE TABLE "auth_verifications" (
	"id" text PRIMARY KEY NOT NULL,
	"identifier" text NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "server_secrets" (
	"name" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "hosts" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"url" text NOT NULL,
	"kind" text DEFAULT 'unknown' NOT NULL,
	"state" text DEFAULT 'never' NOT NULL,
	"configured" boolean DEFAULT true NOT NULL,
	"last_contact_at" timestamp (3) with time zone,
	"last_sweep_at" timestamp (3) with time zone,
	"error" jsonb,
	"libvirt_version" text,
	"qemu_version" text,
	"agent_version" text,
	"clock_skew_ms" integer,
	"capabilities" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"switched_off" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "hosts_name_unique" UNIQUE("name"),
	CONSTRAINT "hosts_kind_known" CHECK ("hosts"."kind" in ('libvirt', 'simulated', 'unknown')),
	CONSTRAINT "hosts_state_known" CHECK ("hosts"."state" in ('online', 'degraded', 'offline', 'never'))
);
--> statement-breakpoint
CREATE TABLE "dirty_peaks" (
	"vm_id" uuid NOT NULL,
	"disk_id" uuid NOT NULL,
	"bitmap" text NOT NULL,
	"layer_path" text NOT NULL,
	"dirty_bytes" bigint NOT NULL,
	"granularity" bigint NOT NULL,
	"runtime_id" text,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "dirty_peaks_disk_id_bitmap_layer_path_pk" PRIMARY KEY("disk_id","bitmap","layer_path")
);
--> statement-breakpoint
CREATE TABLE "dirty_samples" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "dirty_samples_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"vm_id" uuid NOT NULL,
	"disk_id" uuid NOT NULL,
	"bitmap" text NOT NULL,
	"layer_path" text NOT NULL,
	"dirty_bytes" bigint NOT NULL,
	"granularity" bigint NOT NULL,
	"runtime_id" text,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "finding_acknowledgements" (
	"vm_id" uuid NOT NULL,
	"finding_id" text NOT NULL,
	"actor" text NOT NULL,
	"reason" text,
	"revision" integer NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "finding_acknowledgements_vm_id_finding_id_pk" PRIMARY KEY("vm_id","finding_id")
);
--> statement-breakpoint
CREATE TABLE "findings" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "findings_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"vm_id" uuid NOT NULL,
	"finding_id" text NOT NULL,
	"kind" text NOT NULL,
	"severity" text NOT NULL,
	"severity_rank" smallint NOT NULL,
	"body" jsonb NOT NULL,
	"acknowledged" boolean DEFAULT false NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	CONSTRAINT "findings_kind_known" CHECK ("findings"."kind" in ('metadata.missing', 'metadata.unknown', 'metadata.parent-differs', 'metadata.disks-differ', 'metadata.bitmap-name-differs', 'bitmap.missing', 'bitmap.inconsistent', 'bitmap.not-recording', 'bitmap.not-persistent', 'bitmap.gap', 'bitmap.unknown', 'bitmap.rewound', 'bitmap.granularity-differs', 'disk.added', 'disk.gone', 'disk.replaced', 'disk.unsupported', 'disk.unreadable', 'checkpoint.unfinished', 'record.missing-parent', 'record.cycle', 'vm.two-hosts', 'backup.stuck')),
	CONSTRAINT "findings_severity_known" CHECK ("findings"."severity" in ('loss', 'block', 'full', 'waste', 'note'))
);
--> statement-breakpoint
CREATE TABLE "identity_samples" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "identity_samples_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"vm_id" uuid NOT NULL,
	"disk_id" uuid NOT NULL,
	"host_id" uuid NOT NULL,
	"identity" jsonb NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "vm_backup_disk_map" (
	"backup_id" uuid NOT NULL,
	"disk_id" uuid NOT NULL,
	"mode" text NOT NULL,
	"base_checkpoint_id" text,
	"path" text,
	"bytes" bigint,
	CONSTRAINT "vm_backup_disk_map_backup_id_disk_id_pk" PRIMARY KEY("backup_id","disk_id"),
	CONSTRAINT "vm_backup_disk_map_mode_known" CHECK ("vm_backup_disk_map"."mode" in ('full', 'incremental'))
);
--> statement-breakpoint
CREATE TABLE "vm_backups" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"vm_id" uuid NOT NULL,
	"checkpoint_id" text,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"bytes" bigint,
	CONSTRAINT "vm_backups_kind_known" CHECK ("vm_backups"."kind" in ('full', 'incremental', 'mixed')),
	CONSTRAINT "vm_backups_state_known" CHECK ("vm_backups"."state" in ('running', 'finished', 'failed', 'aborted'))
);
--> statement-breakpoint
CREATE TABLE "vm_checkpoint_disk_map" (
	"vm_id" uuid NOT NULL,
	"checkpoint_id" text NOT NULL,
	"disk_id" uuid NOT NULL,
	"granularity" integer,
	CONSTRAINT "vm_checkpoint_disk_map_vm_id_checkpoint_id_disk_id_pk" PRIMARY KEY("vm_id","checkpoint_id","disk_id")
);
--> statement-breakpoint
CREATE TABLE "vm_checkpoints" (
	"vm_id" uuid NOT NULL,
	"checkpoint_id" text NOT NULL,
	"parent_id" text,
	"creation_date" timestamp (3) with time zone NOT NULL,
	"sequence" integer NOT NULL,
	"state" text NOT NULL,
	"origin" text NOT NULL,
	"recorded_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "vm_checkpoints_vm_id_checkpoint_id_pk" PRIMARY KEY("vm_id","checkpoint_id"),
	CONSTRAINT "vm_checkpoints_sequence" UNIQUE("vm_id","sequence"),
	CONSTRAINT "vm_checkpoints_state_known" CHECK ("vm_checkpoints"."state" in ('creating', 'active', 'deleting')),
	CONSTRAINT "vm_checkpoints_origin_known" CHECK ("vm_checkpoints"."origin" in ('driftline', 'adopted', 'registered'))
);
--> statement-breakpoint
CREATE TABLE "disks" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"vm_id" uuid NOT NULL,
	"target" text NOT NULL,
	"source" text,
	"format" text DEFAULT 'unknown' NOT NULL,
	"virtual_size" bigint,
	"identity" jsonb,
	"identity_host_id" uuid,
	"move_proven_at" timestamp (3) with time zone,
	"first_seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_seen_at" timestamp (3) with time zone,
	"retired_at" timestamp (3) with time zone,
	CONSTRAINT "disks_one_target_a_vm" UNIQUE("vm_id","target"),
	CONSTRAINT "disks_of_vm" UNIQUE("vm_id","id")
);
--> statement-breakpoint
CREATE TABLE "observations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "observations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"vm_id" uuid NOT NULL,
	"host_id" uuid NOT NULL,
	"digest" text NOT NULL,
	"body" jsonb NOT NULL,
	"first_seen_at" timestamp (3) with time zone NOT NULL,
	"last_seen_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "observations_once_per_digest" UNIQUE("vm_id","host_id","digest")
);
--> statement-breakpoint
CREATE TABLE "vm_presence" (
	"vm_id" uuid NOT NULL,
	"host_id" uuid NOT NULL,
	"power" text NOT NULL,
	"runtime_id" text,
	"observation_id" bigint,
	"digest" text,
	"counts_digest" text,
	"counts" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"observed_at" timestamp (3) with time zone,
	"tried_at" timestamp (3) with time zone NOT NULL,
	"error" jsonb,
	CONSTRAINT "vm_presence_vm_id_host_id_pk" PRIMARY KEY("vm_id","host_id"),
	CONSTRAINT "vm_presence_power_known" CHECK ("vm_presence"."power" in ('running', 'paused', 'shut-off', 'absent', 'unknown'))
);
--> statement-breakpoint
CREATE TABLE "vms" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"host_id" uuid,
	"power" text DEFAULT 'unknown' NOT NULL,
	"persistent" boolean DEFAULT true NOT NULL,
	"runtime_id" text,
	"first_seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"revision" integer DEFAULT 0 NOT NULL,
	"last_sequence" integer DEFAULT 0 NOT NULL,
	"observation_id" bigint,
	"observed_at" timestamp (3) with time zone,
	"tried_at" timestamp (3) with time zone,
	"error" jsonb,
	"agreement" text DEFAULT 'unknown' NOT NULL,
	"next_backup" text DEFAULT 'unknown' NOT NULL,
	"verdicts" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"kinds" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"kind_names" text[] DEFAULT '{}'::text[] NOT NULL,
	"severity_rank" smallint DEFAULT 99 NOT NULL,
	"checkpoint_count" integer DEFAULT 0 NOT NULL,
	"disk_count" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "vms_power_known" CHECK ("vms"."power" in ('running', 'paused', 'shut-off', 'absent', 'unknown')),
	CONSTRAINT "vms_agreement_known" CHECK ("vms"."agreement" in ('agrees', 'differs', 'unknown', 'checking')),
	CONSTRAINT "vms_next_backup_known" CHECK ("vms"."next_backup" in ('incremental', 'mixed', 'full', 'blocked', 'unknown'))
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"role" text NOT NULL,
	"sha256" text NOT NULL,
	"revoked" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_keys_name_unique" UNIQUE("name"),
	CONSTRAINT "api_keys_sha256_unique" UNIQUE("sha256"),
	CONSTRAINT "api_keys_role_known" CHECK ("api_keys"."role" in ('viewer', 'support', 'operator', 'admin'))
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"role" text,
	"action" text NOT NULL,
	"subject" text,
	"outcome" text NOT NULL,
	"detail" text,
	"trace_id" text,
	CONSTRAINT "audit_log_outcome_known" CHECK ("audit_log"."outcome" in ('done', 'refused', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "job_steps" (
	"job_id" uuid NOT NULL,
	"n" integer NOT NULL,
	"state" text NOT NULL,
	"checkpoint_ids" text[],
	"disks" text[],
	"started_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone,
	"error" text,
	CONSTRAINT "job_steps_job_id_n_pk" PRIMARY KEY("job_id","n"),
	CONSTRAINT "job_steps_state_known" CHECK ("job_steps"."state" in ('queued', 'running', 'succeeded', 'failed', 'skipped'))
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"plan_id" uuid,
	"vm_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"idempotency_key" text,
	"done_bytes" bigint,
	"total_bytes" bigint,
	"proof" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone,
	CONSTRAINT "jobs_plan_id_unique" UNIQUE("plan_id"),
	CONSTRAINT "jobs_once_per_key" UNIQUE("vm_id","idempotency_key"),
	CONSTRAINT "jobs_kind_known" CHECK ("jobs"."kind" in ('redefine', 'heal', 'adopt', 'prune', 'remove', 'backup', 'repair-record')),
	CONSTRAINT "jobs_state_known" CHECK ("jobs"."state" in ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'lost'))
);
--> statement-breakpoint
CREATE TABLE "plans" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"vm_id" uuid NOT NULL,
	"intent" text NOT NULL,
	"tier" smallint NOT NULL,
	"basis" jsonb NOT NULL,
	"consequences" jsonb NOT NULL,
	"steps" jsonb NOT NULL,
	"state" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "plans_intent_known" CHECK ("plans"."intent" in ('redefine', 'heal', 'adopt', 'prune', 'remove', 'backup', 'repair-record')),
	CONSTRAINT "plans_state_known" CHECK ("plans"."state" in ('ready', 'applied', 'expired', 'out-of-date'))
);
--> statement-breakpoint
CREATE TABLE "setup_tokens" (
	"sha256" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"used_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "auth_accounts" ADD CONSTRAINT "auth_accounts_user_id_auth_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."auth_users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "auth_sessions" ADD CONSTRAINT "auth_sessions_user_id_auth_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."auth_users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "dirty_peaks" ADD CONSTRAINT "dirty_peaks_disk" FOREIGN KEY ("vm_id","disk_id") REFERENCES "public"."disks"("vm_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "dirty_samples" ADD CONSTRAINT "dirty_samples_disk" FOREIGN KEY ("vm_id","disk_id") REFERENCES "public"."disks"("vm_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "finding_acknowledgements" ADD CONSTRAINT "finding_acknowledgements_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "findings" ADD CONSTRAINT "findings_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity_samples" ADD CONSTRAINT "identity_samples_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "identity_samples" ADD CONSTRAINT "identity_samples_disk" FOREIGN KEY ("vm_id","disk_id") REFERENCES "public"."disks"("vm_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_backup_disk_map" ADD CONSTRAINT "vm_backup_disk_map_backup_id_vm_backups_id_fk" FOREIGN KEY ("backup_id") REFERENCES "public"."vm_backups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_backup_disk_map" ADD CONSTRAINT "vm_backup_disk_map_disk_id_disks_id_fk" FOREIGN KEY ("disk_id") REFERENCES "public"."disks"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_backups" ADD CONSTRAINT "vm_backups_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_checkpoint_disk_map" ADD CONSTRAINT "vm_checkpoint_disk_map_checkpoint" FOREIGN KEY ("vm_id","checkpoint_id") REFERENCES "public"."vm_checkpoints"("vm_id","checkpoint_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_checkpoint_disk_map" ADD CONSTRAINT "vm_checkpoint_disk_map_disk" FOREIGN KEY ("vm_id","disk_id") REFERENCES "public"."disks"("vm_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_checkpoints" ADD CONSTRAINT "vm_checkpoints_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_checkpoints" ADD CONSTRAINT "vm_checkpoints_parent" FOREIGN KEY ("vm_id","parent_id") REFERENCES "public"."vm_checkpoints"("vm_id","checkpoint_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "disks" ADD CONSTRAINT "disks_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "disks" ADD CONSTRAINT "disks_identity_host_id_hosts_id_fk" FOREIGN KEY ("identity_host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "observations" ADD CONSTRAINT "observations_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "observations" ADD CONSTRAINT "observations_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_presence" ADD CONSTRAINT "vm_presence_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_presence" ADD CONSTRAINT "vm_presence_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_presence" ADD CONSTRAINT "vm_presence_observation_id_observations_id_fk" FOREIGN KEY ("observation_id") REFERENCES "public"."observations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vms" ADD CONSTRAINT "vms_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vms" ADD CONSTRAINT "vms_observation_id_observations_id_fk" FOREIGN KEY ("observation_id") REFERENCES "public"."observations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_steps" ADD CONSTRAINT "job_steps_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_plan_id_plans_id_fk" FOREIGN KEY ("plan_id") REFERENCES "public"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plans" ADD CONSTRAINT "plans_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "auth_accounts_by_user" ON "auth_accounts" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "auth_sessions_by_user" ON "auth_sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "auth_verifications_by_identifier" ON "auth_verifications" USING btree ("identifier");--> statement-breakpoint
CREATE INDEX "dirty_peaks_by_vm" ON "dirty_peaks" USING btree ("vm_id");--> statement-breakpoint
CREATE INDEX "dirty_samples_newest" ON "dirty_samples" USING btree ("vm_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "findings_one_open" ON "findings" USING btree ("vm_id","finding_id") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "findings_newest" ON "findings" USING btree ("vm_id","id");--> statement-breakpoint
CREATE INDEX "identity_samples_by_disk" ON "identity_samples" USING btree ("disk_id","host_id","id");--> statement-breakpoint
CREATE INDEX "vm_backups_newest" ON "vm_backups" USING btree ("vm_id","started_at","id");--> statement-breakpoint
CREATE INDEX "vm_checkpoints_by_parent" ON "vm_checkpoints" USING btree ("vm_id","parent_id");--> statement-breakpoint
CREATE INDEX "vm_presence_by_host" ON "vm_presence" USING btree ("host_id");--> statement-breakpoint
CREATE INDEX "vms_by_name" ON "vms" USING btree ("name","id");--> statement-breakpoint
CREATE INDEX "vms_by_severity" ON "vms" USING btree ("severity_rank","name","id");--> statement-breakpoint
CREATE INDEX "vms_by_checkpoints" ON "vms" USING btree ("checkpoint_count","id");--> statement-breakpoint
CREATE INDEX "vms_by_observed" ON "vms" USING btree ("observed_at","id");--> statement-breakpoint
CREATE INDEX "vms_by_host" ON "vms" USING btree ("host_id");--> statement-breakpoint
CREATE INDEX "vms_by_kind" ON "vms" USING gin ("kind_names");--> statement-breakpoint
CREATE INDEX "audit_log_by_subject" ON "audit_log" USING btree ("subject","id");--> statement-breakpoint
CREATE INDEX "audit_log_by_actor" ON "audit_log" USING btree ("actor","id");--> statement-breakpoint
CREATE INDEX "jobs_newest" ON "jobs" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_by_vm" ON "jobs" USING btree ("vm_id","created_at");--> statement-breakpoint
CREATE INDEX "plans_by_vm" ON "plans" USING btree ("vm_id","created_at");