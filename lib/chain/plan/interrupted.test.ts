/** Killed anywhere, the same intent planned again ends where the first would have ended, and nothing bad is usable meanwhile. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findDrift } from "../findings/index.ts";
import type { DriftInput, Finding } from "../model.ts";
import { nextBackup } from "../verdict.ts";
import { buildPlan } from "./build.ts";
import type { Plan, PlanRequest } from "./model.ts";
import { applyActions, type Cut, findingsOf } from "./testing/apply.ts";
import { arbWorld, planInput, requestFor } from "./testing/worlds.ts";

type Case = { world: DriftInput; before: Finding[]; request: PlanRequest; plan: Plan; cut: Cut };

/** A backup is one action; the job itself makes it whole or takes it back. */
const INTERRUPTED = ["redefine", "heal", "adopt", "prune", "remove", "repair-record"] as const;

function arbCut(intent: PlanRequest["intent"]): fc.Arbitrary<Case> {
  return fc
    .tuple(arbWorld(intent), fc.nat(), fc.nat(6))
    .map(([{ world, pick }, at, items]) => {
      const before = findDrift(world);
      const request = requestFor(intent, world, before, pick);
      const result = buildPlan(planInput(world, before, request));
      return { world, before, request, result, at, items };
    })
    .filter(({ result }) => result.ok)
    .map(({ result, at, items, ...rest }) => {
      if (!result.ok) throw new Error("filtered");
      return { ...rest, plan: result.plan, cut: { actions: at % result.plan.actions.length, items } };
    });
}

/** What is asked for again: names that are gone by now are not named any more, and a heal is of everything. */
function again(request: PlanRequest, world: DriftInput, findings: readonly Finding[]): PlanRequest {
  const recorded = new Set(world.record.checkpoints.map(({ id }) => id));
  const listed = new Set(
    (world.observation.checkpoints.ok ? world.observation.checkpoints.value : []).map(({ id }) => id),
  );
  const known = new Set(findings.map(({ id }) => id));
  switch (request.intent) {
    case "heal":
      return { ...request, findings: null };
    case "remove": {
      const bitmaps = request.bitmaps.filter(({ disk, bitmap }) => {
        const layers = world.observation.disks.find(({ target }) => target === disk)?.layers;
        return layers?.ok && layers.value.some((layer) => layer.bitmaps.some(({ name }) => name === bitmap));
      });
      const checkpointIds = request.checkpointIds.filter((id) => recorded.has(id) || listed.has(id));
      return { ...request, checkpointIds, bitmaps };
    }
    case "prune": {
      const { rule } = request;
      if ("ids" in rule) return { ...request, rule: { ids: rule.ids.filter((id) => recorded.has(id)) } };
      if ("upTo" in rule && !recorded.has(rule.upTo)) return { ...request, rule: { ids: [] } };
      return request;
    }
    case "repair-record": {
      const stuck = findings.find(({ kind }) => kind === "backup.stuck");
      const gone = new Set(findings.filter(({ kind }) => kind === "disk.gone").map(({ subject }) => subject.disk));
      return {
        ...request,
        retireDisks: request.retireDisks.filter((target) => gone.has(target)),
        acknowledge: request.acknowledge.filter((id) => known.has(id)),
        closeBackup: stuck?.reason === "no-such-job",
        abortJob: stuck?.reason === "too-long",
      };
    }
    default:
      return request;
  }
}

const ids = (findings: readonly Finding[]) => findings.map(({ id }) => id).sort();

describe.each(INTERRUPTED)("a plan to %s that was killed anywhere", (intent) => {
  test("leaves only what the same intent planned again puts right", () => {
    fc.assert(
      fc.property(arbCut(intent), ({ world, before, request, plan, cut }) => {
        // A heal of everything may touch what cannot be read; one of named findings did not.
        fc.pre(request.intent !== "heal" || buildPlan(planInput(world, before, again(request, world, before))).ok);
        const torn = applyActions(world, plan.actions, cut);
        const found = findingsOf(torn, before);
        const result = buildPlan(planInput(torn, found, again(request, torn, found)));
        if (!result.ok) expect(result.refusals.map(({ code }) => code)).toEqual(["nothing-to-do"]);
        const ended = result.ok ? applyActions(torn, result.plan.actions) : torn;
        const whole = ids(findingsOf(applyActions(world, plan.actions), before));
        const left = ids(findingsOf(ended, found));
        // A heal of named findings comes back as a heal of everything, which announces for itself.
        const announced = result.ok ? result.plan.appears : [];
        expect(left.filter((id) => !whole.includes(id) && !announced.includes(id))).toEqual([]);
        expect(plan.promises.filter((id) => left.includes(id))).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  test("has no base that was not one before, and none that is being deleted", () => {
    fc.assert(
      fc.property(arbCut(intent), ({ world, before, request, plan, cut }) => {
        const torn = applyActions(world, plan.actions, cut);
        const found = findingsOf(torn, before);
        const adopted = new Set(request.intent === "adopt" ? request.checkpointIds : []);
        const accepted = new Set(
          plan.actions.flatMap((action) => (action.verb === "record.accept-images" ? action.disks : [])),
        );
        const wasBad = (id: string, disk: string) =>
          before.some(
            ({ kind, severity, subject }) =>
              (kind.startsWith("bitmap.") || kind === "checkpoint.unfinished") &&
              (severity === "loss" || severity === "full") &&
              subject.checkpointId === id &&
              (subject.disk === null || subject.disk === disk),
          );
        const distrusted = new Set(
          before
            .filter(({ kind }) => kind === "bitmap.rewound" || kind === "disk.replaced")
            .map(({ subject }) => subject.disk),
        );
        for (const { disk, verdict, from } of nextBackup({ ...torn, findings: found })) {
          if (verdict !== "incremental" || from === null) continue;
          expect(wasBad(from, disk)).toBe(false);
          const row = torn.record.checkpoints.find(({ id }) => id === from);
          expect(row?.state).toBe("active");
          if (!adopted.has(from))
            expect(world.record.checkpoints.some(({ id, state }) => id === from && state === "active")).toBe(true);
          // Only a person's own statement makes a replaced image trusted.
          const stated = request.intent === "repair-record" && accepted.has(disk);
          if (!stated) expect(distrusted.has(disk)).toBe(false);
        }
      }),
      { numRuns: 80 },
    );
  });
});
