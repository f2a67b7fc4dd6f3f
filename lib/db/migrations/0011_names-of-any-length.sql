DROP INDEX "findings_one_open";--> statement-breakpoint
ALTER TABLE "finding_acknowledgements" DROP CONSTRAINT "finding_acknowledgements_vm_id_finding_id_pk";--> statement-breakpoint
ALTER TABLE "vm_checkpoint_disk_map" ALTER COLUMN "granularity" SET DATA TYPE bigint;--> statement-breakpoint
CREATE UNIQUE INDEX "finding_acknowledgements_once" ON "finding_acknowledgements" USING btree ("vm_id",md5("finding_id"));--> statement-breakpoint
CREATE UNIQUE INDEX "findings_one_open" ON "findings" USING btree ("vm_id",md5("finding_id")) WHERE ended_at is null;