CREATE INDEX "vm_presence_by_observation" ON "vm_presence" USING btree ("observation_id");--> statement-breakpoint
CREATE INDEX "vms_by_observation" ON "vms" USING btree ("observation_id");