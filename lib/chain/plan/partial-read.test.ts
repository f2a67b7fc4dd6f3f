/** Unknown is never empty: nothing is taken away on the strength of a read that failed. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { findDrift } from "../findings/index.ts";
import { OBSERVE_ERROR_CODES } from "../model.ts";
import { buildPlan } from "./build.ts";
import { PLAN_INTENTS, type PlanAction, type PlanRequest } from "./model.ts";
import { arbWorld, planInput, requestFor } from "./testing/worlds.ts";

const arbPartial = (intent: PlanRequest["intent"]) =>
  fc.tuple(
    arbWorld(intent),
    fc.constantFrom(...OBSERVE_ERROR_CODES),
    fc.boolean(),
    fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  );

const DESTRUCTIVE = new Set<PlanAction["verb"]>([
  "host.delete-checkpoints",
  "host.delete-bitmaps",
  "record.mark-deleting",
  "record.drop-disks",
  "record.delete",
]);

test.each(PLAN_INTENTS)("a plan to %s from a partial read takes nothing away where it was not read", (intent) => {
  fc.assert(
    fc.property(arbPartial(intent), ([{ world, pick }, code, list, disks]) => {
      // What stood before the read failed still stands, with its remedies.
      const findings = findDrift(world);
      const request = requestFor(intent, world, findings, pick);
      const error = { code, message: "no answer", hostMessage: null, retryable: true };
      const failed = new Set<string>();
      world.observation.disks.forEach((disk, index) => {
        if (!disks[index]) return;
        disk.layers = { ok: false, error };
        failed.add(disk.target);
      });
      const named = new Map(world.record.checkpoints.map((item) => [item.id, item.disks.map(({ target }) => target)]));
      for (const item of world.observation.checkpoints.ok ? world.observation.checkpoints.value : []) {
        named.set(item.id, [...(named.get(item.id) ?? []), ...item.disks.map(({ target }) => target)]);
      }
      if (list) world.observation.checkpoints = { ok: false, error };
      const result = buildPlan(planInput(world, findings, request));
      if (!result.ok) {
        expect(result.refusals.length).toBeGreaterThan(0);
        for (const { reason } of result.refusals) expect(reason).not.toBe("");
        return;
      }
      for (const action of result.plan.actions) {
        if (!DESTRUCTIVE.has(action.verb)) continue;
        expect(list).toBe(false);
        if ("ids" in action) {
          for (const id of action.ids) for (const disk of named.get(id) ?? []) expect([...failed]).not.toContain(disk);
        }
        if ("items" in action) {
          for (const item of action.items) if ("disk" in item) expect([...failed]).not.toContain(item.disk);
        }
      }
    }),
    { numRuns: 100 },
  );
});
