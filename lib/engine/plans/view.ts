import { type PlanRequest, placeOf } from "#chain/plan/model.ts";
import type { PlanRequestInput, PlanView } from "#contract/engine-plans.ts";
import type { StoredPlan } from "#db/index.ts";

/** A stored plan as the API shows it. */
export function toPlanView(plan: StoredPlan): PlanView {
  const { body } = plan;
  return {
    id: plan.id,
    vmId: plan.vmId,
    vmName: plan.vmName,
    groupId: plan.groupId,
    intent: plan.intent,
    params: toParams(body.request),
    tier: plan.tier,
    basis: { ...plan.basis, hostName: plan.hostName },
    consequences: body.consequences,
    losses: body.losses,
    costs: body.costs,
    counts: body.counts,
    steps: body.steps.map(({ n, verb, subject, call, place = placeOf(verb), reversible }) => ({
      n,
      verb,
      subject,
      call,
      place,
      reversible,
    })),
    promises: body.promises,
    confirm: body.confirm,
    role: body.role,
    state: plan.state,
    changes: plan.changes,
    jobId: plan.jobId,
    createdBy: plan.createdBy,
    createdAt: plan.createdAt,
    expiresAt: plan.expiresAt,
  };
}

/** What was asked for, in the shape in which it was asked. */
function toParams(request: PlanRequest): Record<string, unknown> {
  if (request.intent === "prune") return { ...request.rule };
  const { intent: _intent, ...params } = request;
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== null));
}

/** What was asked for over the API, in the shape in which a plan is computed. */
export function toPlanRequest(input: PlanRequestInput): PlanRequest {
  switch (input.intent) {
    case "heal":
      return { intent: "heal", mode: input.params.mode, findings: input.params.findings ?? null };
    case "prune":
      return { intent: "prune", rule: input.params };
    case "backup": {
      const { mode, disks, repository } = input.params;
      return { intent: "backup", mode, disks: disks ?? null, repository: repository ?? null };
    }
    case "redefine":
      return { intent: "redefine", ...input.params };
    case "adopt":
      return { intent: "adopt", ...input.params };
    case "remove":
      return { intent: "remove", ...input.params };
    case "repair-record":
      return { intent: "repair-record", ...input.params };
  }
}

/** Where a field of the request that was computed stands in the request that was sent. */
export const toRequestField = (field: string): string =>
  field === "intent" || field.startsWith("params") ? field : `params.${field.replace(/^rule\./, "")}`;
