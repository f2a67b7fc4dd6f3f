import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import type { DeleteCheckpointsResult } from "#contract/agent-operations.ts";
import type { StepResult } from "#db/index.ts";
import { ofHostError } from "../failure.ts";
import { callHost, expectOf, type JobRun, noteProgress, recordSteps, throwIfCancelled } from "../run.ts";

const BASE_MS = 120_000;
const EACH_MS = 2_000;
/** So that the steps show where it is, and a person can stop it on the way. */
const AT_ONCE = 50;

type Item = DeleteCheckpointsResult["results"][number];

const OUTCOMES: Record<Exclude<Item["outcome"], "failed">, string> = {
  deleted: "deleted with its bitmaps",
  "metadata-only": "metadata only; there was no bitmap any more",
  absent: "was gone already",
};

/** Leaf to root, some at a time. One that is gone already counts as done. */
export async function deleteCheckpointsOnHost(
  run: JobRun,
  { ids }: Extract<PlanAction, { verb: "host.delete-checkpoints" }>,
  steps: PlanStep[],
): Promise<void> {
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    if (i > 0) await throwIfCancelled(run);
    const chunk = ids.slice(i, i + AT_ONCE);
    const { results } = await deleteOnHost(run, chunk);
    const byId = new Map(results.map((item) => [item.id, item]));
    const rest = new Set(ids.slice(i + AT_ONCE));
    await recordSteps(
      run,
      steps
        .filter(
          (step) => step.checkpointIds.some((id) => byId.has(id)) && !step.checkpointIds.some((id) => rest.has(id)),
        )
        .map((step) =>
          stepResult(
            step.n,
            step.checkpointIds.flatMap((id) => byId.get(id) ?? []),
          ),
        ),
    );
    if (results.some(({ outcome }) => outcome === "deleted" || outcome === "metadata-only")) await noteProgress(run);
    const failed = results.find((item) => item.outcome === "failed");
    if (failed?.error) throw ofHostError(failed.error);
  }
}

/** `expect`: the run of the domain that is meant; by default the plan's. */
export function deleteOnHost(run: JobRun, ids: string[], expect = expectOf(run)): Promise<DeleteCheckpointsResult> {
  return callHost(run, BASE_MS + EACH_MS * ids.length, (api, options) =>
    api.deleteCheckpoints({ vmId: run.job.vmId, ids, expect }, options),
  );
}

function stepResult(n: number, items: Item[]): StepResult {
  const failed = items.find((item) => item.outcome === "failed");
  if (failed)
    return {
      n,
      state: "failed",
      error: failed.error?.message ?? "It could not be deleted.",
      hostMessage: failed.error?.hostMessage ?? null,
    };
  const words = new Set(items.map(({ outcome }) => (outcome === "failed" ? "" : OUTCOMES[outcome])));
  return { n, state: "succeeded", outcome: [...words].join("; ") };
}
