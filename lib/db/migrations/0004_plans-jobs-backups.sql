ALTER TABLE "plans" ADD COLUMN "group_id" uuid;--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "body" jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "changes" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "plans" ADD CONSTRAINT "plans_group_id_plan_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."plan_groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "plans_by_group" ON "plans" USING btree ("group_id");