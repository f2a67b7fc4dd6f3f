import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { dropDisks as drop } from "#db/index.ts";
import { changeRecord, type JobRun } from "../run.ts";

export function dropDisks(run: JobRun, action: Extract<PlanAction, { verb: "record.drop-disks" }>, steps: PlanStep[]) {
  return changeRecord(run, steps, async (tx) =>
    (await drop(tx, run.job.vmId, action.items)) > 0 ? "no longer covered" : "was so already",
  );
}
