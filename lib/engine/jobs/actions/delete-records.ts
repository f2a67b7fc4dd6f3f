import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import { findRemains, sayRemains } from "#chain/plan/remains.ts";
import { deleteCheckpoints } from "#db/index.ts";
import { StepFailed } from "../failure.ts";
import { changeRecord, type JobRun } from "../run.ts";
import { look } from "./observe.ts";

type DeleteAction = Extract<PlanAction, { verb: "record.delete" }>;

export async function deleteRecords(run: JobRun, action: DeleteAction, steps: PlanStep[]): Promise<void> {
  await refuseRemains(run, action);
  await changeRecord(run, steps, async (tx) =>
    (await deleteCheckpoints(tx, run.job.vmId, action.ids)) > 0
      ? "gone; children linked to the parent"
      : "was gone already",
  );
}

/**
 * Whatever the steps before say that they deleted: a row whose checkpoint or bitmap the host still shows stays, because
 * without it nobody would own them. One read of the VM, where the plan deletes on the host at all.
 */
async function refuseRemains(run: JobRun, { ids }: DeleteAction): Promise<void> {
  const { actions } = run.job.plan;
  const named = new Set(ids);
  const isOnHost = actions.some((one) => one.verb === "host.delete-checkpoints" || one.verb === "host.delete-bitmaps");
  const seen = isOnHost ? await look(run) : null;
  if (!seen) return;
  const { checkpoints, bitmaps } = findRemains(seen, actions);
  const words = sayRemains({
    checkpoints: checkpoints.filter((id) => named.has(id)),
    bitmaps: bitmaps.filter(({ bitmap }) => named.has(bitmap)),
  });
  if (words) throw new StepFailed(`${run.host.name} still shows ${words}: the rows stay until it does not.`);
}
