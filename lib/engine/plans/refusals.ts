import type { PlanRefusal } from "#chain/plan/model.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { toRequestField } from "./view.ts";

/**
 * Why there is no plan, as one problem that names every reason.
 *
 * | among the reasons                      | problem       |
 * |----------------------------------------|---------------|
 * | something could not be read            | cannot_tell   |
 * | a job runs on the VM                   | vm_busy       |
 * | a field of the request is wrong        | invalid_input |
 * | else: the state of the VM speaks against it | conflict |
 */
export function toRefusalProblem(
  refusals: readonly PlanRefusal[],
  vmId: string,
  /** Where a field of the request that was computed stands in what the caller sent. */
  toField: (field: string) => string = toRequestField,
): ProblemError {
  const errors = refusals.map(({ field, reason }) => ({ field: field === null ? "vmId" : toField(field), reason }));
  const detail = refusals.map((refusal) => refusal.reason).join(" ") || "There is no plan for this.";
  const because = (code: PlanRefusal["code"]) => refusals.some((refusal) => refusal.code === code);
  if (because("cannot-tell")) return new ProblemError("cannot_tell", detail, { subject: vmId, errors });
  if (because("job-running")) return new ProblemError("vm_busy", detail, { subject: vmId, errors });
  if (refusals.some((refusal) => refusal.field !== null)) return invalidInput(errors);
  return new ProblemError("conflict", detail, { subject: vmId, errors });
}
