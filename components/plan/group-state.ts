/** How the parts of a plan over several VMs stand at a moment, and what has been read and accepted of them. */
import type { PlanGroup } from "#contract/engine.ts";
import type { PlanRequestInput } from "#contract/engine-plans.ts";

type Part = PlanGroup["parts"][number];
export type PlannedPart = Part & { plan: NonNullable<Part["plan"]> };

export type GroupStanding = {
  runnable: PlannedPart[];
  started: PlannedPart[];
  expired: PlannedPart[];
  outOfDate: PlannedPart[];
  /** No plan was made for them. */
  refused: Part[];
};

/** The server says what has expired with the next read; a page that stands open must not offer what would be refused. */
export function standingOf({ parts, expiresAt }: PlanGroup, now: number | null): GroupStanding {
  const planned = parts.filter((part): part is PlannedPart => part.plan !== null);
  const open = planned.filter(({ plan }) => plan.jobId === null);
  const isLate = now !== null && now >= Date.parse(expiresAt);
  return {
    runnable: open.filter(({ plan }) => plan.state === "ready" && !isLate),
    started: planned.filter(({ plan }) => plan.jobId !== null),
    expired: open.filter(({ plan }) => plan.state === "expired" || (plan.state === "ready" && isLate)),
    outOfDate: open.filter(({ plan }) => plan.state === "out-of-date"),
    refused: parts.filter(({ plan }) => plan === null),
  };
}

/** The same of the VMs whose part can not run any more, and of those that got none; null: nothing is left to ask. */
export function askedAgain({ parts }: PlanGroup, standing: GroupStanding) {
  const plan = parts.find((part) => part.plan)?.plan;
  const { expired, outOfDate, refused } = standing;
  if (!plan || expired.length + outOfDate.length === 0) return null;
  const vmIds = [...expired, ...outOfDate, ...refused].map(({ vmId }) => vmId);
  return { vmIds, request: { intent: plan.intent, params: plan.params } as PlanRequestInput };
}

/** What one VM loses says nothing of another, even under the same id. */
export const tickOf = (vmId: string, lossId: string): string => `${vmId} ${lossId}`;

export const isAccepted = ({ vmId, plan }: PlannedPart, ticked: ReadonlySet<string>): boolean =>
  plan.losses.every(({ id }) => ticked.has(tickOf(vmId, id)));

/** Of each VM only the losses that were ticked one by one. */
export function acknowledgedOf(parts: readonly PlannedPart[], ticked: ReadonlySet<string>) {
  return parts.flatMap(({ vmId, plan }) => {
    const losses = plan.losses.map(({ id }) => id).filter((id) => ticked.has(tickOf(vmId, id)));
    return losses.length > 0 ? [{ vmId, losses }] : [];
  });
}
