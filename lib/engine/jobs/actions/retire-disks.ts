import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { retireDisks as retire } from "#db/index.ts";
import { changeRecord, type JobRun } from "../run.ts";

export function retireDisks(
  run: JobRun,
  action: Extract<PlanAction, { verb: "record.retire-disks" }>,
  steps: PlanStep[],
) {
  return changeRecord(run, steps, async (tx) =>
    (await retire(tx, run.job.vmId, action.disks)) > 0 ? "retired" : "was retired already",
  );
}
