/** Everything that the engine may ask of the database. The ORM stays behind it. */
export * from "./audit.ts";
export * from "./auth-adapter.ts";
export * from "./backups.ts";
export * from "./client.ts";
export * from "./events.ts";
export * from "./findings.ts";
export * from "./fleet.ts";
export * from "./hosts.ts";
export * from "./leadership.ts";
export * from "./migrate.ts";
export * from "./observed.ts";
export * from "./people.ts";
export * from "./plans.ts";
export * from "./queue.ts";
export * from "./record.ts";
export type { KindSummary } from "./schema/index.ts";
export * from "./vms.ts";
export * from "./work.ts";
