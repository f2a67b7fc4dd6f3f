/** What a plan changes about findings and the next backup, by comparing its model of before with that of after. */
import { carryProofs, findDrift } from "../findings/index.ts";
import type { DriftInput, Finding } from "../model.ts";
import { isLive } from "../trust.ts";
import { nextBackup } from "../verdict.ts";
import { OTHER_JOB } from "../words/findings.ts";
import { findStuck, type PlanState } from "./facts.ts";
import type { PlanAction, PlanCost, PlanInput } from "./model.ts";

export type Outcome = {
  promises: string[];
  appears: string[];
  costs: PlanCost[];
  after: Finding[];
  appearing: Finding[];
};

/** `after`: the state when every action is done. */
export function outcomeOf(input: PlanInput, actions: readonly PlanAction[], after: PlanState): Outcome {
  const { record, observation, findings } = input;
  const closes = actions.some(({ verb }) => verb === "record.close-backup");
  const was = findDrift(driftInput(input, { record, observation }, false));
  const derived = findDrift(driftInput(input, after, closes));
  const wasIds = new Set(was.map(({ id }) => id));
  const carried = carryProofs({ previous: findings, current: derived, ...after });
  // What stands from an earlier read of something that is not readable now is neither settled nor changed by a plan.
  const kept = findings.filter(({ id, kind }) => kind !== "bitmap.rewound" && !wasIds.has(id));
  const all = [...new Map([...kept, ...carried].map((finding) => [finding.id, finding])).values()];
  const afterIds = new Set(all.map(({ id }) => id));
  const nowIds = new Set(findings.map(({ id }) => id));
  const appearing = all.filter(({ id }) => !nowIds.has(id) && !wasIds.has(id));
  const now = nextBackup({ record, observation, findings });
  const next = new Map(nextBackup({ ...after, findings: all }).map((verdict) => [verdict.disk, verdict]));
  return {
    promises: findings.filter(({ id }) => !afterIds.has(id)).map(({ id }) => id),
    appears: appearing.map(({ id }) => id),
    costs: now.flatMap((verdict) => {
      const later = next.get(verdict.disk);
      return later ? [{ disk: verdict.disk, now: verdict, after: later }] : [];
    }),
    after: all,
    appearing,
  };
}

/** The input of `findDrift` as far as a plan knows it: history that it lacks is taken from the findings themselves. */
function driftInput(input: PlanInput, state: PlanState, closed: boolean): DriftInput {
  const replaced = new Set(
    input.findings.filter(({ kind }) => kind === "disk.replaced").map(({ subject }) => subject.disk),
  );
  const stuck = findStuck(input.findings);
  const tooLong = stuck?.reason === "too-long" || stuck?.reason === OTHER_JOB;
  return {
    ...state,
    hostId: input.hostId,
    samples: [],
    inFlight: [],
    // Of a running VM a proven second host is refused before, and what is not proven is no finding.
    activeElsewhere: (isLive(state.observation) ? [] : (input.activeElsewhere ?? [])).map((other) => ({
      ...other,
      observedAt: state.observation.observedAt,
    })),
    // An image that differs and was not found replaced has moved with proof.
    provenMoves: state.observation.disks.map(({ target }) => target).filter((target) => !replaced.has(target)),
    runningBackup: closed ? null : runningBackup(input, stuck),
    jobLimitMs: tooLong ? -1 : Number.POSITIVE_INFINITY,
  };
}

function runningBackup(input: PlanInput, stuck: Finding | undefined): DriftInput["runningBackup"] {
  if (stuck) {
    const recorded = stuck.remedies.includes("close") || stuck.subject.checkpointId !== null;
    return recorded ? { checkpointId: stuck.subject.checkpointId, startedAt: input.observation.observedAt } : null;
  }
  const running = input.record.checkpoints.find(({ backup }) => backup === "running");
  return running ? { checkpointId: running.id, startedAt: running.createdAt } : null;
}
