/** From a wish to a plan: a pure function of record, observation, intent and policy. Nothing has happened yet. */
import { assertNever } from "../assert-never.ts";
import type { DiskVerdict } from "../model.ts";
import { findingTitle } from "../words/findings.ts";
import * as words from "../words/plans.ts";
import { planAdopt } from "./adopt.ts";
import { planBackup } from "./backup.ts";
import { basisOf } from "./basis.ts";
import { type Draft, type DraftResult, refusal } from "./draft.ts";
import { type PlanFacts, planFacts } from "./facts.ts";
import { guardRecord, guardVm } from "./guards.ts";
import { planHeal } from "./heal.ts";
import type { Plan, PlanInput, PlanRefusal, PlanRequest, PlanResult } from "./model.ts";
import { outcomeOf } from "./outcome.ts";
import { planPrune } from "./prune.ts";
import { planRedefine } from "./redefine.ts";
import { planRemove } from "./remove.ts";
import { planRepairRecord } from "./repair-record.ts";
import { listSteps } from "./steps.ts";
import { weigh } from "./tier.ts";

/**
 * The exact steps for `input.request`, or every reason why there is no plan. The same input gives the same answer;
 * nothing of it is changed. Linear in checkpoints × disks.
 */
export function buildPlan(input: PlanInput): PlanResult {
  const vm = guardVm(input);
  if (vm.length > 0) return { ok: false, refusals: vm };
  const record = input.request.intent === "repair-record" ? [] : guardRecord(input);
  if (record.length > 0) return { ok: false, refusals: record };
  const result = draftOf(input, planFacts(input));
  if (!result.ok) return result;
  const plan = complete(input, result.draft);
  const hidden = hiddenRewinds(input, plan);
  return hidden.length > 0 ? { ok: false, refusals: hidden } : { ok: true, plan };
}

/**
 * A rewind is proven by one bitmap and true of the whole disk. A plan that takes that bitmap and leaves others would
 * make them bases again, with an interval missing that nothing shows any more.
 */
function hiddenRewinds({ findings }: PlanInput, { promises, costs }: Plan): PlanRefusal[] {
  const gone = new Set(promises);
  const rewound = findings.filter(({ id, kind }) => kind === "bitmap.rewound" && gone.has(id));
  const disks = new Set(rewound.map(({ subject }) => subject.disk));
  return costs
    .filter(({ disk, now, after }) => disks.has(disk) && now.reason === "rewound" && isBased(after))
    .map(({ disk }) => {
      const reason = `An older image was put back on ${disk}. Heal that first: this plan would take away what shows it.`;
      return refusal("unhealthy", reason);
    });
}

/** A base would be found, now or after a redefine. */
function isBased({ verdict, reason }: DiskVerdict): boolean {
  return verdict === "incremental" || reason === "metadata-missing" || reason === "metadata-differs";
}

function draftOf(input: PlanInput, facts: PlanFacts): DraftResult {
  const { request } = input;
  switch (request.intent) {
    case "redefine":
      return planRedefine(input, facts, request.mode);
    case "heal":
      return planHeal(input, facts, request);
    case "adopt":
      return planAdopt(input, facts, request.checkpointIds);
    case "prune":
      return planPrune(input, facts, request.rule);
    case "remove":
      return planRemove(input, facts, request);
    case "backup":
      return planBackup(input, facts, request);
    case "repair-record":
      return planRepairRecord(input, facts, request);
    default:
      return assertNever(request);
  }
}

function complete(input: PlanInput, draft: Draft): Plan {
  const { record, observation, request } = input;
  const { steps, counts, after } = listSteps({ record, observation }, draft.actions, input.policy);
  const outcome = outcomeOf(input, draft.actions, after);
  const { tier, losses } = weigh(input, draft, after, outcome);
  const costs = request.intent === "backup" ? [] : outcome.costs.map(words.costLine).filter((text) => text !== null);
  const appearing = outcome.appearing.map(findingTitle);
  return {
    request,
    tier,
    basis: basisOf(input),
    consequences: [...draft.consequences, ...costs, ...(appearing.length > 0 ? [words.appearing(appearing)] : [])],
    losses,
    costs: outcome.costs,
    counts,
    actions: draft.actions,
    steps,
    promises: outcome.promises,
    appears: outcome.appears,
    confirm: tier === 3 ? input.vmName : null,
    role: leastRole(request),
  };
}

/** Support may take full backups; everything else that changes something needs an operator. */
export function leastRole(request: PlanRequest): Plan["role"] {
  return request.intent === "backup" && request.mode === "full" ? "support" : "operator";
}
