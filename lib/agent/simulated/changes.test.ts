import { describe, expect, it } from "vitest";
import { eventsBetween } from "./changes.ts";
import { makeFleet } from "./fleet.ts";
import type { SimDomain } from "./state.ts";

const [BASE] = makeFleet({ vms: 1, checkpoints: 0 });
if (BASE === undefined) throw new Error("no domain");
const on: SimDomain = { ...BASE, power: "running", run: 1 };
const off: SimDomain = { ...BASE, power: "shut-off", run: 1 };
const JOB = { operation: "backup" as const, elapsedMs: 1, doneBytes: null, totalBytes: null };

const words = (before: SimDomain | null, after: SimDomain | null): string[] => {
  const map = (d: SimDomain | null) => new Map(d === null ? [] : [[d.vmId, d]]);
  return eventsBetween(map(before), map(after), "2026-01-01T00:00:00Z").map((e) =>
    e.type === "domain" ? e.event : "",
  );
};

describe("events of a simulated host", () => {
  it.each<[string, SimDomain | null, SimDomain | null, string[]]>([
    ["nothing changed", on, on, []],
    ["defined and running", null, on, ["defined", "started"]],
    ["undefined", off, null, ["undefined"]],
    ["stopped", on, off, ["stopped"]],
    ["started", off, on, ["started"]],
    ["restarted between two looks", on, { ...on, run: 2 }, ["stopped", "started"]],
    ["crashed", on, { ...off, cause: "crashed" }, ["crashed"]],
    ["migrated here", off, { ...on, cause: "migrated" }, ["migrated-in"]],
    ["migrated away", on, { ...off, cause: "migrated" }, ["migrated-out"]],
    ["suspended", on, { ...on, power: "paused" }, ["suspended"]],
    ["resumed", { ...on, power: "paused" }, on, ["resumed"]],
    ["renamed", on, { ...on, name: "other" }, ["renamed"]],
    ["job ended", { ...on, job: JOB }, on, ["job-ended"]],
  ])("%s", (_, before, after, expected) => {
    expect(words(before, after)).toEqual(expected);
  });
});
