/** What must hold for every plan, on every chain, drifted in every way. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isHealthy, viewBitmaps } from "../bitmaps.ts";
import { findDrift } from "../findings/index.ts";
import type { DriftInput, Finding, LayerBitmap, RecordCheckpoint } from "../model.ts";
import { nextBackup } from "../verdict.ts";
import { buildPlan } from "./build.ts";
import { PLAN_INTENTS, type Plan, type PlanRequest } from "./model.ts";
import { applyActions, findingsOf } from "./testing/apply.ts";
import { arbWorld, planInput, requestFor } from "./testing/worlds.ts";

type Case = { world: DriftInput; before: Finding[]; request: PlanRequest; plan: Plan };

/** Only cases in which there is a plan: refusals have tests of their own. */
function arbPlanned(intent: PlanRequest["intent"]): fc.Arbitrary<Case> {
  return arbWorld(intent)
    .map(({ world, pick }) => {
      const before = findDrift(world);
      const request = requestFor(intent, world, before, pick);
      return { world, before, request, result: buildPlan(planInput(world, before, request)) };
    })
    .filter(({ result }) => result.ok)
    .map(({ result, ...rest }) => {
      if (!result.ok) throw new Error("filtered");
      return { ...rest, plan: result.plan };
    });
}

const ids = (findings: readonly Finding[]) => findings.map(({ id }) => id).sort();
const sorted = (list: readonly string[]) => [...list].sort();
const RUNS = { numRuns: 80 };

/** Every pair of finished checkpoint and disk that a backup could start from, or could after a redefine. */
function healthyBases(world: DriftInput, findings: readonly Finding[]): Set<string> {
  const distrusted = new Set(
    findings
      .filter(({ kind, acknowledged }) => kind === "bitmap.rewound" || (kind === "disk.replaced" && !acknowledged))
      .map(({ subject }) => subject.disk),
  );
  const bases = new Set<string>();
  for (const { target, layers } of world.observation.disks) {
    if (!layers.ok || distrusted.has(target)) continue;
    const top = layers.value.find(({ depth }) => depth === 0);
    if (top?.format !== "qcow2" || top.qcow2Compat === "0.10") continue;
    const bitmaps = viewBitmaps(target, layers.value);
    for (const { id, state, backup, disks } of world.record.checkpoints) {
      const bitmap = bitmaps.get(id);
      const isFinished = state === "active" && (backup === null || backup === "finished");
      const covered = disks.find((disk) => disk.target === target);
      if (!isFinished || !bitmap || !isHealthy(bitmap) || !covered) continue;
      // Made anew: it lacks what was written before.
      if (bitmap.held.some((held) => held.bitmap.granularity !== (covered.granularity ?? held.bitmap.granularity)))
        continue;
      bases.add(`${id} on ${target}`);
    }
  }
  return bases;
}

describe.each(PLAN_INTENTS)("every plan to %s", (intent) => {
  test("removes exactly the findings that it promises and causes exactly those that it announces", () => {
    fc.assert(
      fc.property(arbPlanned(intent), ({ world, before, plan }) => {
        const after = ids(findingsOf(applyActions(world, plan.actions), before));
        const was = ids(before);
        expect(was.filter((id) => !after.includes(id))).toEqual(sorted(plan.promises));
        expect(after.filter((id) => !was.includes(id))).toEqual(sorted(plan.appears));
      }),
      RUNS,
    );
  });

  test("says rightly what the next backup of each disk is afterwards", () => {
    fc.assert(
      fc.property(arbPlanned(intent), ({ world, before, plan }) => {
        const then = applyActions(world, plan.actions);
        const verdicts = nextBackup({ ...then, findings: findingsOf(then, before) });
        expect(plan.costs.map(({ after }) => after)).toEqual(verdicts);
      }),
      RUNS,
    );
  });

  test("leaves foreign checkpoints and bitmaps that it does not name as they are", () => {
    fc.assert(
      fc.property(arbPlanned(intent), ({ world, request, plan }) => {
        expect(foreign(applyActions(world, plan.actions), world, request)).toEqual(foreign(world, world, request));
      }),
      RUNS,
    );
  });

  test("removes no healthy base that it does not announce as a loss, and no last one below tier 3", () => {
    fc.assert(
      fc.property(arbPlanned(intent), ({ world, before, plan }) => {
        const then = applyActions(world, plan.actions);
        const left = healthyBases(then, findingsOf(then, before));
        const had = healthyBases(world, before);
        const lost = [...had].filter((base) => !left.has(base));
        const announced = plan.losses.flatMap(({ bases = [] }) =>
          bases.map(({ bitmap, disk }) => `${bitmap} on ${disk}`),
        );
        expect(sorted(lost)).toEqual(sorted(announced));
        const disk = (base: string) => base.slice(base.lastIndexOf(" ") + 1);
        const still = new Set([...left].map(disk));
        if (lost.some((base) => !still.has(disk(base)))) {
          expect(plan.tier).toBe(3);
          expect(plan.confirm).toBe("vm");
        }
        if (lost.length > 0) expect(plan.tier).toBeGreaterThanOrEqual(2);
      }),
      RUNS,
    );
  });

  test("lists a step for every action, ends with the proof, and changes nothing by being made", () => {
    fc.assert(
      fc.property(arbPlanned(intent), ({ world, before, request, plan }) => {
        const copy = structuredClone(world);
        const again = buildPlan(planInput(world, before, request));
        expect(world).toEqual(copy);
        expect(again).toEqual({ ok: true, plan });
        expect(plan.steps.map(({ n }) => n)).toEqual(plan.steps.map((_, index) => index + 1));
        expect([...new Set(plan.steps.map(({ action }) => action))]).toEqual(plan.actions.map((_, index) => index));
        expect(plan.actions.at(-1)).toEqual({ verb: "prove" });
        expect(plan.actions.length).toBeGreaterThan(1);
        for (const { call, subject } of plan.steps) expect([call, subject]).not.toContain("");
        for (const { call, place } of plan.steps)
          expect([call, place === "record"]).toEqual([call, /^(INSERT|UPDATE|DELETE) /.test(call)]);
        expect(new Set(plan.losses.map(({ id }) => id)).size).toBe(plan.losses.length);
        expect(structuredClone(JSON.parse(JSON.stringify(plan)))).toEqual(JSON.parse(JSON.stringify(plan)));
      }),
      RUNS,
    );
  });
});

/** What was asked for: the findings that the wish names, or all that offer its remedy and that nobody accepted. */
function wished(before: readonly Finding[], request: PlanRequest): string[] {
  const offering = (remedy: Finding["remedies"][number]) => before.filter(({ remedies }) => remedies.includes(remedy));
  switch (request.intent) {
    case "heal":
      return request.findings ?? ids(offering("heal").filter(({ acknowledged }) => !acknowledged));
    case "redefine":
      return ids(offering("redefine").filter(({ acknowledged }) => !acknowledged));
    case "adopt":
      return ids(offering("adopt").filter(({ subject }) => request.checkpointIds.includes(subject.checkpointId ?? "")));
    default:
      return [];
  }
}

/**
 * What a plan need not end: what it says that it leaves out, and a checkpoint below one that cannot be defined, which may
 * stand in the wrong place itself.
 */
function isExcused({ kind, subject }: Finding, { world, before, plan }: Pick<Case, "world" | "before" | "plan">) {
  if (plan.consequences.join(" ").includes(` ${subject.checkpointId} (`)) return true;
  if (kind !== "metadata.parent-differs") return false;
  const rows = new Map(world.record.checkpoints.map((row) => [row.id, row]));
  const isTroubled = (row: RecordCheckpoint) =>
    before.some(({ subject: { checkpointId, disk } }) =>
      checkpointId === null ? row.disks.some(({ target }) => target === disk) : checkpointId === row.id,
    );
  let above = rows.get(rows.get(subject.checkpointId ?? "")?.parentId ?? "");
  for (; above; above = rows.get(above.parentId ?? "")) if (isTroubled(above)) return true;
  return false;
}

/** The promise itself is computed from what the plan does: a plan that overlooked a kind would promise less, and keep it. */
describe.each(["heal", "redefine", "adopt"] as const)("every plan to %s", (intent) => {
  test("promises an end to each finding that it was asked to end, unless it says that it leaves it out", () => {
    fc.assert(
      fc.property(arbPlanned(intent), ({ world, before, request, plan }) => {
        const asked = new Set(wished(before, request));
        for (const id of plan.promises) asked.delete(id);
        const open = before.filter((finding) => asked.has(finding.id));
        expect(ids(open.filter((finding) => !isExcused(finding, { world, before, plan })))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

/** Everything on the host that the record of the beginning does not own and the wish does not name. */
function foreign(now: DriftInput, start: DriftInput, request: PlanRequest) {
  const ours = new Set(start.record.checkpoints.map(({ id }) => id));
  const named = new Set(request.intent === "remove" ? request.checkpointIds : []);
  const bitmaps = new Set(
    request.intent === "remove" ? request.bitmaps.map(({ disk, bitmap }) => `${bitmap} on ${disk}`) : [],
  );
  if (request.intent === "backup") ours.add("driftline-new");
  const isForeign = (name: string) => !ours.has(name) && !named.has(name);
  const list = now.observation.checkpoints.ok ? now.observation.checkpoints.value : [];
  return {
    // libvirt itself hangs children on the parent of a checkpoint that goes.
    checkpoints: list.filter(({ id }) => isForeign(id)).map(({ parentId: _, current: __, ...item }) => item),
    bitmaps: now.observation.disks.map(({ target, layers }) => ({
      target,
      layers: (layers.ok ? layers.value : []).map((layer): LayerBitmap[] =>
        layer.bitmaps.filter(({ name }) => isForeign(name) && !bitmaps.has(`${name} on ${target}`)),
      ),
    })),
  };
}
