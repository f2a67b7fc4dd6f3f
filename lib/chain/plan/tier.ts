/** How much a plan can cost, and what exactly is lost. From its actions and its outcome, the same for every intent. */
import * as words from "../words/plans.ts";
import type { Draft } from "./draft.ts";
import { type PlanState, planFacts, usableBases } from "./facts.ts";
import type { BitmapName, PlanAction, PlanInput, PlanLoss, PlanTier, PlanVerb } from "./model.ts";
import type { Outcome } from "./outcome.ts";

/** Nothing brings back what these take. */
const DESTRUCTIVE: ReadonlySet<PlanVerb> = new Set<PlanVerb>([
  "host.delete-checkpoints",
  "host.delete-bitmaps",
  "host.abort-job",
  "record.mark-deleting",
  "record.delete",
  "record.drop-disks",
]);

function isDestructive(action: PlanAction): boolean {
  return DESTRUCTIVE.has(action.verb);
}

export type Weight = { tier: PlanTier; losses: PlanLoss[] };

export function weigh(input: PlanInput, draft: Draft, after: PlanState, outcome: Outcome): Weight {
  if (!draft.actions.some(isDestructive)) return { tier: raise(input, draft.leastTier ?? 1), losses: draft.losses };
  const before = usableBases(planFacts(input), input.findings);
  const left = usableBases(planFacts(after), outcome.after);
  const keys = new Set(left.map(key));
  const lost = before.filter((base) => !keys.has(key(base)));
  const still = new Set(left.map(({ disk }) => disk));
  const bare = [...new Set(lost.map(({ disk }) => disk))].filter((disk) => !still.has(disk)).sort();
  const count = active(input);
  const chain = count > 0 && active(after) === 0;
  const losses = [
    ...(chain ? [words.chainLoss(count)] : []),
    ...bare.map(words.lastBaseLoss),
    ...draft.losses,
    ...(lost.length > 0 ? [words.baseLoss(lost)] : []),
  ];
  const tier = chain || bare.length > 0 ? 3 : Math.max(2, draft.leastTier ?? 2);
  return { tier: raise(input, tier as PlanTier), losses };
}

function key({ disk, bitmap }: BitmapName): string {
  return `${disk}\n${bitmap}`;
}

function active({ record }: Pick<PlanState, "record">): number {
  return record.checkpoints.filter(({ state }) => state === "active").length;
}

/** A policy raises; it never lowers. */
function raise({ policy, request }: PlanInput, tier: PlanTier): PlanTier {
  const least = policy.leastTier[request.intent] ?? 0;
  return least > tier ? least : tier;
}
