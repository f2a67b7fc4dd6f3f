/** The cost of a plan grows in step with checkpoints and with disks. */
import { expect, test } from "vitest";
import { findDrift } from "../findings/index.ts";
import type { DriftInput } from "../model.ts";
import { counting } from "../testing/counting.ts";
import { healthyLine } from "../testing/healthy.ts";
import { buildPlan } from "./build.ts";
import type { PlanRequest } from "./model.ts";
import { planInput } from "./testing/worlds.ts";

const TARGETS = Array.from({ length: 16 }, (_, index) => `vd${String.fromCharCode(97 + index)}`);

const lost = (input: DriftInput) => {
  input.observation.checkpoints = { ok: true, value: [] };
};
const broken = (input: DriftInput) => {
  for (const { layers } of input.observation.disks.slice(0, 1)) {
    if (layers.ok) for (const layer of layers.value) layer.bitmaps = [];
  }
};
const CASES: [string, (input: DriftInput) => void, PlanRequest][] = [
  ["redefine everything", lost, { intent: "redefine", mode: "strict" }],
  ["heal a whole disk", broken, { intent: "heal", mode: "salvage", findings: null }],
  ["prune nearly all", () => undefined, { intent: "prune", rule: { keepLast: 1 } }],
  ["backup", () => undefined, { intent: "backup", mode: "auto", disks: null, repository: null }],
];

function drifted(count: number, disks: number, change: (input: DriftInput) => void): DriftInput {
  const input = healthyLine(count, TARGETS.slice(0, disks));
  change(input);
  return input;
}

test.each(CASES)("to %s", (_, change, request) => {
  const cost = (count: number, disks: number) => {
    const input = drifted(count, disks, change);
    const findings = findDrift(input);
    const { value, reads } = counting({ record: input.record, observation: input.observation, findings });
    expect(buildPlan({ ...planInput(input, findings, request), ...value }).ok).toBe(true);
    return reads();
  };
  const base = cost(100, 2);
  expect(cost(400, 2) / base).toBeLessThan(5);
  expect(cost(100, 4) / base).toBeLessThan(2.6);
});

test("a heal of 2,000 checkpoints on 16 disks names every call", { timeout: 60_000 }, () => {
  const input = drifted(2_000, 16, broken);
  const result = buildPlan(planInput(input, findDrift(input), { intent: "heal", mode: "salvage", findings: null }));
  if (!result.ok) throw new Error("there is a plan");
  expect(result.plan.promises).toHaveLength(2_000);
  expect(result.plan.counts).toMatchObject({ define: 0, replace: 2_000 });
  expect(result.plan.costs.filter(({ after }) => after.verdict === "incremental")).toHaveLength(15);
});
