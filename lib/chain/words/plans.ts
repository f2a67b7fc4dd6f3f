/** What a plan says: short, plain, for somebody who is woken by it. No promise that the actions do not keep. */
export * from "./plans/backup.ts";
export * from "./plans/every-plan.ts";
export * from "./plans/heal.ts";
export { coverStateWords, nameList } from "./plans/names.ts";
export * from "./plans/redefine.ts";
export * from "./plans/remove.ts";
export * from "./plans/repair-record.ts";
