/** Old checkpoints go, with their bitmaps. What they could be a base for must then start from another one. */
import { currentLine } from "../order.ts";
import { pathTo } from "../tree.ts";
import * as words from "../words/plans.ts";
import { deletionActions, deletionOf } from "./deletion.ts";
import { type DraftResult, drafted, refusal, refuse } from "./draft.ts";
import { isFinishedBase, listedOf, type PlanFacts } from "./facts.ts";
import { guardHost, guardRead, touchedDisks } from "./guards.ts";
import type { PlanInput, PlanRefusal, PruneRule } from "./model.ts";

export function planPrune(input: PlanInput, facts: PlanFacts, rule: PruneRule): DraftResult {
  const { ids, refusals } = selectPruned(facts, rule);
  refusals.unshift(...guardHost(input, facts));
  if (refusals.length > 0) return refuse(...refusals);
  if (ids.length === 0) return refuse(refusal("nothing-to-do", "No checkpoint falls under this rule."));
  const unread = guardRead(
    facts,
    ids.flatMap((id) => [...touchedDisks(facts, id)]),
  );
  if (unread.length > 0) return refuse(...unread);
  const deletion = deletionOf(facts, ids);
  return drafted({
    actions: deletionActions(deletion),
    consequences: [words.pruned(deletion.recorded), ...words.detached(facts, deletion.recorded)],
    losses: [],
  });
}

/** Checkpoints whose deletion an earlier plan began fall under every rule that covers them. */
function selectPruned(facts: PlanFacts, rule: PruneRule): { ids: string[]; refusals: PlanRefusal[] } {
  const refusals: PlanRefusal[] = [];
  const known = (id: string, field: string): boolean => {
    if (facts.recorded.has(id)) return true;
    const foreign = listedOf(facts, id) !== undefined;
    const reason = foreign
      ? `Checkpoint ${id} is not ours. Remove it by name if its owner no longer needs it.`
      : `There is no checkpoint ${id}.`;
    refusals.push(refusal(foreign ? "foreign" : "not-found", reason, field));
    return false;
  };
  if ("ids" in rule) {
    const ids = [...new Set(rule.ids)].filter((id, index) => known(id, `rule.ids[${index}]`));
    return { ids, refusals };
  }
  if ("upTo" in rule) {
    const tip = facts.recorded.get(rule.upTo);
    if (!known(rule.upTo, "rule.upTo") || !tip) return { ids: [], refusals };
    return { ids: pathTo(facts.recorded, tip).map(({ id }) => id), refusals };
  }
  if ("olderThan" in rule) {
    const limit = Date.parse(rule.olderThan);
    const older = facts.ordered.filter(({ createdAt, state }) => state !== "creating" && Date.parse(createdAt) < limit);
    return { ids: older.map(({ id }) => id), refusals };
  }
  const line = currentLine(facts.record);
  // Only what a backup can start from counts as kept: an unfinished one keeps nothing.
  const kept = new Set(line.filter(isFinishedBase).slice(-rule.keepLast));
  const falls = line.filter((item) => item.state === "deleting" || (isFinishedBase(item) && !kept.has(item)));
  return { ids: falls.map(({ id }) => id), refusals };
}
