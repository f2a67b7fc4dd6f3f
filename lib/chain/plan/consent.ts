/** Whether a plan that was computed again still says what a person agreed to, where it would do the same. */
import type { BasisChange } from "./changes.ts";
import type { Plan, PlanLoss, PlanStep } from "./model.ts";

type Consented = Pick<Plan, "tier" | "confirm" | "losses" | "steps">;

/** So many calls that differ are named; the rest is counted. */
const MOST_STEPS = 10;

/**
 * What a person read, ticked and typed, against what would be asked now: a policy that was raised, a base that became
 * the last one, a call that came along. None of it need leave a trace in the actions. Empty: nothing differs.
 */
export function describeConsentChanges(was: Consented, is: Consented): BasisChange[] {
  const changes: BasisChange[] = [];
  if (was.tier !== is.tier) changes.push({ what: "tier", was: `tier ${was.tier}`, is: `tier ${is.tier}` });
  if (was.confirm !== is.confirm) {
    changes.push({ what: "what must be typed", was: was.confirm ?? "nothing", is: is.confirm ?? "nothing" });
  }
  return [...changes, ...lossChanges(was.losses, is.losses), ...stepChanges(was.steps, is.steps)];
}

function lossChanges(was: readonly PlanLoss[], is: readonly PlanLoss[]): BasisChange[] {
  const [before, now] = [textsOf(was), textsOf(is)];
  return [...new Set([...before.keys(), ...now.keys()])]
    .filter((id) => before.get(id) !== now.get(id))
    .map((id) => ({ what: `loss ${id}`, was: before.get(id) ?? "not lost", is: now.get(id) ?? "not lost" }));
}

const textsOf = (losses: readonly PlanLoss[]) => new Map(losses.map(({ id, text }) => [id, text]));

function stepChanges(was: readonly PlanStep[], is: readonly PlanStep[]): BasisChange[] {
  const [before, now] = [callsOf(was), callsOf(is)];
  const more = [...now].filter(([call, times]) => times > (before.get(call) ?? 0)).map(([call]) => call);
  const fewer = [...before].filter(([call, times]) => times > (now.get(call) ?? 0)).map(([call]) => call);
  const changes = [
    ...more.map((call) => ({ what: "a call that is not listed", was: "not there", is: call })),
    ...fewer.map((call) => ({ what: "a call that is listed", was: call, is: "not there" })),
  ];
  if (changes.length === 0 && was.some(({ call }, index) => call !== is[index]?.call)) {
    return [{ what: "the order of the calls", was: "as listed", is: "another one" }];
  }
  const left = changes.length - MOST_STEPS;
  if (left <= 0) return changes;
  return [...changes.slice(0, MOST_STEPS), { what: `${left} further calls`, was: "as listed", is: "different" }];
}

function callsOf(steps: readonly PlanStep[]): Map<string, number> {
  const calls = new Map<string, number>();
  for (const { call } of steps) calls.set(call, (calls.get(call) ?? 0) + 1);
  return calls;
}
