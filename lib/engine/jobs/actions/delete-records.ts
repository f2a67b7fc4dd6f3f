import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { deleteCheckpoints } from "#db/index.ts";
import { changeRecord, type JobRun } from "../run.ts";

export function deleteRecords(run: JobRun, action: Extract<PlanAction, { verb: "record.delete" }>, steps: PlanStep[]) {
  return changeRecord(run, steps, async (tx) =>
    (await deleteCheckpoints(tx, run.job.vmId, action.ids)) > 0
      ? "gone; children linked to the parent"
      : "was gone already",
  );
}
