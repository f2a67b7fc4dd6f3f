import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { acknowledgeFindings } from "#db/index.ts";
import { changeRecord, type JobRun } from "../run.ts";

export function acknowledge(
  run: JobRun,
  action: Extract<PlanAction, { verb: "record.acknowledge" }>,
  steps: PlanStep[],
) {
  const { vmId, actor, reason } = run.job;
  return changeRecord(run, steps, async (tx) =>
    (await acknowledgeFindings(tx, vmId, action.findingIds, { actor, reason })) > 0
      ? "accepted"
      : "was accepted already",
  );
}
