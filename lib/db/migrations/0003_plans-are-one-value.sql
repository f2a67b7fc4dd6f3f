CREATE TABLE "backup_verifications" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"backup_id" uuid NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"ok" boolean NOT NULL,
	"detail" text NOT NULL,
	"disks" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "plan_groups" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"intent" text NOT NULL,
	"refused" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "vm_leases" (
	"vm_id" uuid PRIMARY KEY NOT NULL,
	"job_id" uuid NOT NULL,
	"holder" text NOT NULL,
	"taken_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "vm_backup_disk_map" ADD COLUMN "backing" text;--> statement-breakpoint
ALTER TABLE "vm_backup_disk_map" ADD COLUMN "sha256" text;--> statement-breakpoint
ALTER TABLE "vm_backup_disk_map" ADD COLUMN "virtual_size" bigint;--> statement-breakpoint
ALTER TABLE "vm_backups" ADD COLUMN "host_id" uuid;--> statement-breakpoint
ALTER TABLE "vm_backups" ADD COLUMN "job_id" uuid;--> statement-breakpoint
ALTER TABLE "vm_backups" ADD COLUMN "error" text;--> statement-breakpoint
ALTER TABLE "audit_log" ADD COLUMN "plan_id" uuid;--> statement-breakpoint
ALTER TABLE "audit_log" ADD COLUMN "job_id" uuid;--> statement-breakpoint
ALTER TABLE "audit_log" ADD COLUMN "reason" text;--> statement-breakpoint
ALTER TABLE "job_steps" ADD COLUMN "host_message" text;--> statement-breakpoint
ALTER TABLE "job_steps" ADD COLUMN "outcome" text;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "actor" text DEFAULT 'driftline' NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "role" text;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "reason" text;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "trace_id" text;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "cancel_requested_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "lost_contact_since" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "error" text;--> statement-breakpoint
ALTER TABLE "backup_verifications" ADD CONSTRAINT "backup_verifications_backup_id_vm_backups_id_fk" FOREIGN KEY ("backup_id") REFERENCES "public"."vm_backups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_leases" ADD CONSTRAINT "vm_leases_vm_id_vms_id_fk" FOREIGN KEY ("vm_id") REFERENCES "public"."vms"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "vm_leases" ADD CONSTRAINT "vm_leases_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "backup_verifications_newest" ON "backup_verifications" USING btree ("backup_id","at");--> statement-breakpoint
ALTER TABLE "vm_backups" ADD CONSTRAINT "vm_backups_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plans" DROP COLUMN "consequences";--> statement-breakpoint
ALTER TABLE "plans" DROP COLUMN "steps";