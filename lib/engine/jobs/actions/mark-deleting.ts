import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { markDeleting as mark } from "#db/index.ts";
import { changeRecord, type JobRun } from "../run.ts";

export function markDeleting(
  run: JobRun,
  action: Extract<PlanAction, { verb: "record.mark-deleting" }>,
  steps: PlanStep[],
) {
  return changeRecord(run, steps, async (tx) =>
    (await mark(tx, run.job.vmId, action.ids)) > 0 ? "no base from here on" : "was so already",
  );
}
