export * from "./auth.ts";
export * from "./hosts.ts";
export * from "./observed.ts";
export * from "./record.ts";
export * from "./vms.ts";
export * from "./work.ts";
