CREATE TABLE "host_credentials" (
	"host_id" uuid PRIMARY KEY NOT NULL,
	"certificate" text NOT NULL,
	"sealed_token" text NOT NULL,
	"sealed_next_token" text,
	"confirm_pending" boolean DEFAULT false NOT NULL,
	"paired_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"rotated_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "origin" text DEFAULT 'configuration' NOT NULL;--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "retired_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "host_credentials" ADD CONSTRAINT "host_credentials_host_id_hosts_id_fk" FOREIGN KEY ("host_id") REFERENCES "public"."hosts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hosts" ADD CONSTRAINT "hosts_origin_known" CHECK ("hosts"."origin" in ('configuration', 'paired'));