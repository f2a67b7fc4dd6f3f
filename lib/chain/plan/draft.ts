/** What an intent answers: its actions with what only it can say; the rest is computed from them. */
import type { PlanAction, PlanLoss, PlanRefusal, PlanRefusalCode, PlanTier } from "./model.ts";

export type Draft = {
  actions: PlanAction[];
  /** In words, the most important first. */
  consequences: string[];
  losses: PlanLoss[];
  /** Where the actions alone say too little. */
  leastTier?: PlanTier;
};
export type DraftResult = { ok: true; draft: Draft } | { ok: false; refusals: PlanRefusal[] };

export function refusal(code: PlanRefusalCode, reason: string, field: string | null = null): PlanRefusal {
  return { field, code, reason };
}

export function refuse(...refusals: PlanRefusal[]): { ok: false; refusals: PlanRefusal[] } {
  return { ok: false, refusals };
}

/** Without the actions that have nothing to act on. */
export function drafted(draft: Draft): DraftResult {
  return { ok: true, draft: { ...draft, actions: draft.actions.filter((action) => !isEmpty(action)) } };
}

function isEmpty(action: PlanAction): boolean {
  if ("ids" in action) return action.ids.length === 0;
  if ("items" in action) return action.items.length === 0;
  if ("findingIds" in action) return action.findingIds.length === 0;
  if ("checkpoints" in action) return action.checkpoints.length === 0;
  if ("disks" in action) return action.disks.length === 0;
  return false;
}
