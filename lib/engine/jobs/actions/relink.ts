import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { relinkCheckpoints } from "#db/index.ts";
import { changeRecord, type JobRun } from "../run.ts";

export function relink(run: JobRun, action: Extract<PlanAction, { verb: "record.relink" }>, steps: PlanStep[]) {
  return changeRecord(run, steps, async (tx) =>
    (await relinkCheckpoints(tx, run.job.vmId, action.items)) > 0 ? "linked" : "was linked so already",
  );
}
