ALTER TABLE "disks" ADD COLUMN "move_proven_host_id" uuid;--> statement-breakpoint
ALTER TABLE "disks" ADD COLUMN "move_proven_run" text;--> statement-breakpoint
ALTER TABLE "disks" ADD CONSTRAINT "disks_move_proven_host_id_hosts_id_fk" FOREIGN KEY ("move_proven_host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;