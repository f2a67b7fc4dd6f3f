import { IDEMPOTENCY_HEADER } from "#contract/idempotency.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { findJobByKey, findLiveJob, type PlanChange, type Reader, type StoredPlan } from "#db/index.ts";

export type ApplyInput = {
  /** `null`: what was typed counted for the whole group, and this part needs none of its own. */
  confirm: string | null | undefined;
  acknowledged: readonly string[];
  reason: string | null;
  idempotencyKey: string;
};

/** @throws ProblemError invalid_input that names the header */
export function requireKey(idempotencyKey: string | null | undefined): string {
  if (idempotencyKey) return idempotencyKey;
  const reason = "is needed, so that the same wish is never carried out twice: 1 to 200 visible ASCII characters";
  throw invalidInput([{ field: IDEMPOTENCY_HEADER, reason }]);
}

/** The same wish again: the job that it made, or what speaks against running the plan, or null. */
export async function judgeApply(
  db: Reader,
  plan: StoredPlan,
  input: ApplyInput,
): Promise<{ jobId: string } | ProblemError | null> {
  const subject = plan.vmId;
  const known = await findJobByKey(db, plan.vmId, input.idempotencyKey);
  if (known?.planId === plan.id) return { jobId: known.id };
  if (known) {
    const detail = `This Idempotency-Key made the job ${known.id} of another plan already; use a new one.`;
    return new ProblemError("conflict", detail, { subject });
  }
  const live = await findLiveJob(db, plan.vmId);
  const holder = live && `${live.actor} (${live.kind}, job ${live.id}) since ${live.createdAt}`;
  if (plan.state === "applied") {
    const by = live && live.id === plan.jobId ? ` It is run for ${holder}.` : "";
    const made = plan.jobId === null ? "a job that is not kept any more" : `the job ${plan.jobId}`;
    const errors = [{ field: "planId", reason: `applied already: it made ${made}` }];
    return new ProblemError("conflict", `This plan runs once, and it made ${made}.${by}`, {
      subject,
      errors,
    });
  }
  if (plan.state === "expired") {
    const errors = [{ field: "expiresAt", reason: `it could be applied until ${plan.expiresAt}` }];
    return new ProblemError("plan_out_of_date", "The plan has expired. Compute it again.", { subject, errors });
  }
  if (plan.state === "out-of-date") return outOfDate(plan.vmId, plan.changes);
  const errors = unmet(plan, input);
  if (errors.length > 0) return invalidInput(errors);
  if (live) {
    const held = [{ field: "vmId", reason: `held by ${holder}` }];
    return new ProblemError("vm_busy", `The VM is held by ${holder}.`, { subject, errors: held });
  }
  return null;
}

export const outOfDate = (vmId: string, changes: readonly PlanChange[]): ProblemError =>
  new ProblemError(
    "plan_out_of_date",
    `What the plan stands on has changed: ${changes
      .map((change) => change.what)
      .slice(0, 8)
      .join(", ")}. Compute it again.`,
    { subject: vmId, errors: changes.map(({ what, was, is }) => ({ field: what, reason: `was ${was}; is ${is}` })) },
  );

/** What a person has to type and to accept before this plan runs. */
function unmet({ body }: StoredPlan, { confirm, acknowledged }: ApplyInput): { field: string; reason: string }[] {
  const errors: { field: string; reason: string }[] = [];
  if (body.confirm !== null && confirm !== null && confirm !== body.confirm) {
    errors.push({ field: "confirm", reason: `type ${body.confirm} to confirm` });
  }
  const accepted = new Set(acknowledged);
  const missing = body.tier >= 2 ? body.losses.filter((loss) => !accepted.has(loss.id)) : [];
  for (const loss of missing) {
    errors.push({ field: "acknowledged", reason: `${loss.id} is not acknowledged: ${loss.text}` });
  }
  return errors;
}
