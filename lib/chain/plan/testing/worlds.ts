/** Worlds that drifted in several ways at once, and wishes that fit them more or less. For tests only. */
import fc from "fast-check";
import { type DriftInput, FINDING_KINDS, type Finding, type FindingKind } from "../../model.ts";
import { arbHealthy } from "../../testing/generators.ts";
import { hour } from "../../testing/healthy.ts";
import { MUTATIONS, type Pick } from "../../testing/mutations.ts";
import type { PlanInput, PlanRequest } from "../model.ts";

function picker(picks: readonly number[]): Pick {
  let at = 0;
  return (count) => (picks[at++ % picks.length] ?? 0) % Math.max(1, count);
}

type World = { world: DriftInput; pick: Pick };

/** Drifts of which each intent needs at least one to have anything to do. */
const OCCASIONS: Readonly<Record<PlanRequest["intent"], readonly FindingKind[]>> = {
  redefine: ["metadata.missing", "metadata.parent-differs", "metadata.disks-differ", "metadata.bitmap-name-differs"],
  heal: [
    "bitmap.missing",
    "bitmap.inconsistent",
    "bitmap.not-recording",
    "bitmap.gap",
    "bitmap.rewound",
    "disk.replaced",
  ],
  adopt: ["metadata.unknown"],
  prune: FINDING_KINDS,
  remove: ["metadata.unknown", "bitmap.unknown", "checkpoint.unfinished"],
  backup: ["disk.added", "bitmap.missing", "disk.unsupported", "disk.gone"],
  "repair-record": [
    "record.missing-parent",
    "record.cycle",
    "disk.gone",
    "disk.replaced",
    "bitmap.unknown",
    "backup.stuck",
  ],
};

/** One to three drifts on top of each other; a drift that the earlier ones left nothing for is left out. */
export function arbWorld(intent: PlanRequest["intent"]): fc.Arbitrary<World> {
  const occasion = fc.constantFrom(...OCCASIONS[intent]);
  const more = fc.array(fc.constantFrom(...FINDING_KINDS), { maxLength: 2 });
  const picks = fc.array(fc.nat(), { minLength: 24, maxLength: 24 });
  return fc.tuple(arbHealthy(), occasion, more, picks).map(([healthy, first, others, numbers]) => {
    const pick = picker(numbers);
    let world = withoutJob(structuredClone(healthy));
    for (const kind of new Set([first, ...others])) {
      const next = structuredClone(world);
      try {
        if (MUTATIONS[kind](next, pick) !== null) world = next;
      } catch {
        // Nothing to pick from: an earlier drift took it all.
      }
    }
    world.observation.observedAt = hour(100);
    return { world, pick };
  });
}

/** A job on the VM makes most plans impossible; those refusals have tests of their own. */
function withoutJob(world: DriftInput): DriftInput {
  world.observation.job = { ok: true, value: { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null } };
  return world;
}

/** A wish of the kind, with names that are there. */
export function requestFor(
  intent: PlanRequest["intent"],
  world: DriftInput,
  findings: readonly Finding[],
  pick: Pick,
): PlanRequest {
  const recorded = world.record.checkpoints.map(({ id }) => id);
  const listed = world.observation.checkpoints.ok ? world.observation.checkpoints.value.map(({ id }) => id) : [];
  const some = <T>(list: readonly T[]): T[] => list.filter(() => pick(3) === 0);
  const one = <T>(list: readonly T[]): T[] => list.slice(0, 0).concat(list[pick(list.length)] ?? []);
  const mode = pick(2) === 0 ? "salvage" : "strict";
  const offering = (remedy: Finding["remedies"][number]) =>
    findings.filter(({ remedies }) => remedies.includes(remedy));
  switch (intent) {
    case "redefine":
      return { intent, mode };
    case "heal": {
      const named = some(offering("heal").map(({ id }) => id));
      return { intent, mode, findings: pick(2) === 0 || named.length === 0 ? null : named };
    }
    case "adopt":
      return { intent, checkpointIds: offering("adopt").flatMap(({ subject }) => subject.checkpointId ?? []) };
    case "prune": {
      const rules = [
        { keepLast: 1 + pick(3) },
        { olderThan: hour(pick(12)) },
        { upTo: one(recorded)[0] ?? "cp0" },
        { ids: [...one(recorded), ...some(recorded)] },
      ];
      return { intent, rule: one(rules)[0] ?? { keepLast: 1 } };
    }
    case "remove": {
      const stray = offering("remove-bitmap").flatMap(({ subject }) =>
        subject.disk !== null && subject.bitmap !== null ? [{ disk: subject.disk, bitmap: subject.bitmap }] : [],
      );
      return { intent, checkpointIds: some([...new Set([...recorded, ...listed])]), bitmaps: stray };
    }
    case "backup":
      return {
        intent,
        mode: one(["full", "incremental", "auto"] as const)[0] ?? "auto",
        disks: null,
        repository: null,
      };
    case "repair-record": {
      const stuck = findings.find(({ kind }) => kind === "backup.stuck");
      return {
        intent,
        links: true,
        retireDisks: findings.filter(({ kind }) => kind === "disk.gone").flatMap(({ subject }) => subject.disk ?? []),
        acknowledge: some(offering("acknowledge").map(({ id }) => id)),
        closeBackup: stuck?.reason === "no-such-job",
        abortJob: stuck?.reason === "too-long",
      };
    }
  }
}

export function planInput(world: DriftInput, findings: readonly Finding[], request: PlanRequest): PlanInput {
  return {
    vmName: "vm",
    hostId: world.hostId,
    record: world.record,
    observation: world.observation,
    findings,
    request,
    policy: { leastTier: {} },
    newCheckpointId: "driftline-new",
    restorePoints: new Set(
      world.record.checkpoints.flatMap(({ id, disks }) => disks.map(({ target }) => `${id}|${target}`)),
    ),
    activeElsewhere: world.activeElsewhere,
  };
}
