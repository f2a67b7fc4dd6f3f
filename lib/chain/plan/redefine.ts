/** Tell libvirt again what the record says. Metadata only: nothing is lost, and the same call again changes nothing. */
import * as words from "../words/plans.ts";
import { definitionsOf } from "./definitions.ts";
import { type DraftResult, drafted, refusal, refuse } from "./draft.ts";
import { distrustedDisks, type PlanFacts } from "./facts.ts";
import { guardHost } from "./guards.ts";
import type { PlanInput, PlanMode, PlanRefusal } from "./model.ts";

export function planRedefine(input: PlanInput, facts: PlanFacts, mode: PlanMode): DraftResult {
  const refusals = guardHost(input, facts);
  if (refusals.length > 0) return refuse(...refusals);
  const { list, define, replace, leftOut, forbidden } = definitionsOf(facts, mode);
  if (mode === "strict" && leftOut.length > 0) {
    return refuse(...leftOut.flatMap(({ id, disks }) => disks.map(({ disk, state }) => unhealthy(id, disk, state))));
  }
  if (define.length + replace.length === 0) return refuse(refusal("nothing-to-do", words.nothingToDefine(leftOut)));
  const distrusted = [...distrustedDisks(input.findings).keys()].filter((disk) => facts.disks.has(disk));
  return drafted({
    actions: [{ verb: "host.redefine", mode, checkpoints: list }, { verb: "prove" }],
    consequences: [
      words.defined(define, replace),
      ...words.leftOut(leftOut),
      ...(forbidden.length > 0 ? [words.forbidden(forbidden)] : []),
      ...(distrusted.length > 0 ? [words.stillDistrusted(distrusted)] : []),
    ],
    losses: [],
  });
}

function unhealthy(id: string, disk: string, state: Parameters<typeof words.coverStateWords>[0]): PlanRefusal {
  const code = state === "unread" ? "cannot-tell" : state === "unreadable" ? "disk-unreadable" : "unhealthy";
  return refusal(code, `Checkpoint ${id} on ${disk}: ${words.coverStateWords(state)}.`);
}
