import { isSubject } from "#chain/plan/bitmap-rounds.ts";
import type { BitmapName, PlanAction, PlanStep } from "#chain/plan/model.ts";
import type { DeleteBitmapsResult } from "#contract/agent-operations.ts";
import type { StepResult } from "#db/index.ts";
import { ofHostError } from "../failure.ts";
import { callHost, expectOf, type JobRun, noteProgress, recordSteps } from "../run.ts";

const BASE_MS = 120_000;
const EACH_MS = 2_000;

type Item = DeleteBitmapsResult["results"][number];

/** One that is gone already counts as done. */
export async function deleteBitmaps(
  run: JobRun,
  { items }: Extract<PlanAction, { verb: "host.delete-bitmaps" }>,
  steps: PlanStep[],
): Promise<void> {
  const { results } = await deleteBitmapsOnHost(run, items);
  await recordSteps(
    run,
    steps.map((step) => stepResult(step.n, ofStep(step, results))),
  );
  if (results.some(({ outcome }) => outcome === "deleted")) await noteProgress(run);
  const failed = results.find((item) => item.outcome === "failed");
  if (failed?.error) throw ofHostError(failed.error);
}

/** `expect`: the run of the domain that is meant; by default the plan's. */
export function deleteBitmapsOnHost(
  run: JobRun,
  items: BitmapName[],
  expect = expectOf(run),
): Promise<DeleteBitmapsResult> {
  return callHost(run, BASE_MS + EACH_MS * items.length, (api, options) =>
    api.deleteBitmaps({ vmId: run.job.vmId, items, expect }, options),
  );
}

/** One call may be of several bitmaps, and one bitmap may need several calls; each names what it is about. */
const ofStep = (step: PlanStep, results: Item[]): Item[] => results.filter((item) => isSubject(step.subject, item));

function stepResult(n: number, items: Item[]): StepResult {
  const failed = items.find((item) => item.outcome === "failed");
  if (failed)
    return {
      n,
      state: "failed",
      error: failed.error?.message ?? "It could not be deleted.",
      hostMessage: failed.error?.hostMessage ?? null,
    };
  const isGone = items.every((item) => item.outcome === "absent");
  return { n, state: "succeeded", outcome: isGone ? "was gone already" : "deleted" };
}
