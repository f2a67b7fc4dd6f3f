/** One plan over several VMs: a part for each, computed, refused and run on its own. */
import type { PlanRefusal } from "#chain/plan/model.ts";
import type { PlanGroup, PlanRequestInput } from "#contract/engine-plans.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { getPlanGroup, insertPlanGroup, setGroupRefusals, writeAudit } from "#db/index.ts";
import { actorName, assertRole, hasRole } from "../actor.ts";
import { toProblem } from "../problems.ts";
import type { Context } from "../state.ts";
import { requireKey } from "./apply-rules.ts";
import { PLAN_LIFE_MS } from "./compute.ts";
import { preparePlan } from "./create-plan.ts";
import { observeSeveral } from "./fresh.ts";
import { viewByNewestRead } from "./get-plan.ts";
import { runPlan } from "./run-plan.ts";
import { toPlanRequest, toRequestField } from "./view.ts";

/** All of it together; what was not reached by then is refused and can be asked for again. */
const MOST_MS = 60_000;
const READ_MS = 30_000;

const noSuchGroup = (groupId: string) =>
  new ProblemError("not_found", `There is no plan group ${groupId}.`, { subject: groupId });

/**
 * What is typed once for all of them: how many VMs there are. One alone asks for what its own plan asks for; being made as a
 * group makes it no smaller. Each part's losses are accepted one by one either way.
 */
function confirmOf(plans: readonly { body: { confirm: string | null } }[]): string {
  const [only] = plans;
  if (plans.length === 1 && only) return only.body.confirm ?? "1 VM";
  return `${plans.length} VMs`;
}

/** Why a VM got no plan, whatever was thrown. Our own failures are failures of the whole call. */
function toRefusals(error: unknown): PlanRefusal[] {
  const problem = toProblem(error);
  if (problem.code === "cannot_tell") {
    const words = problem.hostMessage ? `${problem.message} (${problem.hostMessage})` : problem.message;
    return [{ field: null, code: "cannot-tell", reason: words }];
  }
  if (problem.code === "not_found") return [{ field: null, code: "not-found", reason: problem.message }];
  throw error;
}

export async function createPlanGroup(
  context: Context,
  input: { vmIds: string[]; request: PlanRequestInput },
): Promise<PlanGroup> {
  const { engine, actor } = context;
  const { vmIds } = input;
  const twice = vmIds.flatMap((vmId, i) =>
    vmIds.indexOf(vmId) === i ? [] : [{ field: `vmIds[${i}]`, reason: "stands twice" }],
  );
  if (twice.length > 0) throw invalidInput(twice);
  const request = toPlanRequest(input.request);
  const createdAt = new Date();
  const expiresAt = new Date(createdAt.getTime() + PLAN_LIFE_MS);
  const group = { intent: request.intent, createdBy: actorName(actor), createdAt, expiresAt };
  const groupId = await insertPlanGroup(engine.db.orm, group);
  const deadline = Date.now() + MOST_MS;
  await observeSeveral(engine, vmIds, READ_MS);
  const refused: { vmId: string; refusals: PlanRefusal[] }[] = [];
  for (const vmId of vmIds) {
    if (Date.now() > deadline) {
      const reason = "The time for this group was up before this VM's turn.";
      refused.push({ vmId, refusals: [{ field: null, code: "cannot-tell", reason }] });
      continue;
    }
    try {
      const prepared = await preparePlan(context, vmId, request, { groupId });
      if ("refusals" in prepared) refused.push({ vmId, refusals: prepared.refusals });
    } catch (error) {
      refused.push({ vmId, refusals: toRefusals(error) });
    }
  }
  await setGroupRefusals(engine.db.orm, groupId, refused);
  return readGroup(context, { groupId });
}

/** The group with its plans as they are now, each as `getPlan` shows it. */
export async function readGroup({ engine }: Context, { groupId }: { groupId: string }): Promise<PlanGroup> {
  const group = await getPlanGroup(engine.db.orm, groupId);
  if (!group) throw noSuchGroup(groupId);
  const { plans, refused, ...rest } = group;
  const planned: PlanGroup["parts"] = [];
  for (const plan of plans) {
    const { steps: _steps, ...view } = await viewByNewestRead(engine.db, plan);
    planned.push({ vmId: plan.vmId, vmName: plan.vmName, plan: view, refusals: [] });
  }
  const parts = [
    ...planned,
    ...refused.map(({ vmId, vmName, refusals }) => ({
      vmId,
      vmName,
      plan: null,
      refusals: refusals.map((one) => ({ ...one, field: one.field && `request.${toRequestField(one.field)}` })),
    })),
  ];
  return { ...rest, confirm: confirmOf(plans), parts };
}

/** Runs every part that can run; the others say why they did not. What is typed counts for all of them. */
export async function applyPlanGroup(
  context: Context,
  input: {
    groupId: string;
    confirm?: string;
    acknowledged?: { vmId: string; losses: string[] }[];
    reason?: string;
  },
) {
  const { engine, actor, traceId } = context;
  const group = await getPlanGroup(engine.db.orm, input.groupId);
  if (!group) throw noSuchGroup(input.groupId);
  const { plans } = group;
  const allowed = plans.filter((plan) => hasRole(actor, plan.body.role));
  const [first] = plans;
  if (first && allowed.length === 0) assertRole(actor, first.body.role, input.groupId);
  const idempotencyKey = requireKey(context.idempotencyKey);
  const confirm = confirmOf(plans);
  const reason = input.reason ?? null;
  const audit = (subject: string, detail: string, planId: string | null) =>
    writeAudit(engine.db.orm, {
      actor: actorName(actor),
      role: actor.role,
      action: "planGroups.apply",
      outcome: "refused",
      subject,
      detail,
      traceId,
      planId,
      reason,
    });
  if (input.confirm !== confirm) {
    const problem = invalidInput([{ field: "confirm", reason: `type ${confirm} to confirm` }]);
    await audit(input.groupId, problem.message, null);
    throw problem;
  }
  const acknowledged = byVm(
    input.acknowledged ?? [],
    plans.map((plan) => plan.vmId),
  );
  const parts: { vmId: string; jobId: string | null; refusal: { code: string; reason: string } | null }[] = [];
  for (const plan of plans) {
    const { vmId } = plan;
    if (!allowed.includes(plan)) {
      const words = `This part needs the role ${plan.body.role}.`;
      await audit(vmId, words, plan.id);
      parts.push({ vmId, jobId: null, refusal: { code: "forbidden", reason: words } });
      continue;
    }
    const wish = { confirm: null, acknowledged: acknowledged.get(vmId) ?? [], reason, idempotencyKey };
    const result = await runPlan(context, plan, wish).catch((error: unknown) => ({ refused: toProblem(error) }));
    parts.push(
      "jobId" in result
        ? { vmId, jobId: result.jobId, refusal: null }
        : { vmId, jobId: null, refusal: { code: result.refused.code, reason: explain(result.refused) } },
    );
  }
  for (const { vmId, refusals } of group.refused) {
    const words = refusals.map((refusal) => refusal.reason).join(" ");
    parts.push({ vmId, jobId: null, refusal: { code: refusals[0]?.code ?? "conflict", reason: words } });
  }
  return { parts };
}

/** What was accepted, of each VM its own. @throws ProblemError naming a VM that has no part, or stands twice */
function byVm(items: { vmId: string; losses: string[] }[], vmIds: string[]): Map<string, string[]> {
  const errors = items.flatMap(({ vmId }, i) => {
    const field = `acknowledged[${i}].vmId`;
    if (!vmIds.includes(vmId)) return [{ field, reason: "this plan has no part for that VM" }];
    return items.findIndex((one) => one.vmId === vmId) < i ? [{ field, reason: "stands twice" }] : [];
  });
  if (errors.length > 0) throw invalidInput(errors);
  return new Map(items.map(({ vmId, losses }) => [vmId, losses]));
}

/** A problem in one line, with what it names. */
const explain = ({ message, errors }: ProblemError): string =>
  errors?.length ? `${message} ${errors.map((one) => `${one.field}: ${one.reason}`).join("; ")}` : message;
