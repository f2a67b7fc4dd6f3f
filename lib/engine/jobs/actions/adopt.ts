import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { adoptCheckpoints } from "#db/index.ts";
import { changeRecord, type JobRun } from "../run.ts";

export function adopt(run: JobRun, action: Extract<PlanAction, { verb: "record.adopt" }>, steps: PlanStep[]) {
  return changeRecord(run, steps, async (tx) =>
    (await adoptCheckpoints(tx, run.job.vmId, action.checkpoints)) > 0 ? "recorded" : "was recorded already",
  );
}
