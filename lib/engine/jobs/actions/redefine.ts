import type { PlanAction, PlanStep } from "#chain/plan/model.ts";
import type { RedefineResult } from "#contract/agent-operations.ts";
import type { StepResult } from "#db/index.ts";
import { ofHostError, StepFailed } from "../failure.ts";
import { callHost, expectOf, type JobRun, noteProgress, recordSteps } from "../run.ts";

/** libvirt takes about 20 ms each, more with a long chain; this is far beyond it. */
const BASE_MS = 120_000;
const EACH_MS = 250;

/** The agent reads the host first and defines what is missing: asked again after any interruption it goes on. */
export async function redefine(
  run: JobRun,
  { mode, checkpoints }: Extract<PlanAction, { verb: "host.redefine" }>,
  steps: PlanStep[],
): Promise<void> {
  const answer = await callHost(run, BASE_MS + EACH_MS * checkpoints.length, (api, options) =>
    api.redefine(
      {
        vmId: run.job.vmId,
        mode,
        checkpoints: checkpoints.map(({ disks, ...one }) => ({ ...one, disks: disks.map((target) => ({ target })) })),
        expect: expectOf(run),
      },
      options,
    ),
  );
  const results = resultsOf(answer);
  await recordSteps(
    run,
    steps.map((step) => stepResult(step, results)),
  );
  if (answer.defined.length > 0) await noteProgress(run);
  const [failed] = answer.failed;
  if (failed) throw ofHostError(failed.error);
  const [refused] = answer.refused;
  if (refused && mode === "strict")
    throw new StepFailed(
      `Strict: nothing was defined, because ${answer.refused.length} of the bitmaps are not healthy. ${wordsOf(refused)}.`,
    );
}

type Result = Omit<StepResult, "n">;

const wordsOf = ({ id, reasons }: RedefineResult["refused"][number]) =>
  `${id}: ${reasons.map(({ disk, state }) => `its bitmap on ${disk} is ${state}`).join(", ")}`;

function resultsOf(answer: RedefineResult): Map<string, Result> {
  const results = new Map<string, Result>();
  for (const id of answer.defined) results.set(id, { state: "succeeded", outcome: "defined" });
  for (const id of answer.replaced) results.set(id, { state: "succeeded", outcome: "replaced" });
  for (const id of answer.unchanged) results.set(id, { state: "succeeded", outcome: "already there" });
  for (const one of answer.refused)
    results.set(one.id, { state: "failed", outcome: "left out", error: `Left out: ${wordsOf(one)}.` });
  for (const { id, error } of answer.failed)
    results.set(id, { state: "failed", error: error.message, hostMessage: error.hostMessage });
  for (const id of answer.notTried) results.set(id, { state: "skipped", outcome: "healthy; left as it was" });
  for (const id of answer.rolledBack) results.set(id, { state: "skipped", outcome: "taken back" });
  return results;
}

/** A line over several checkpoints is as good as the worst of them. */
function stepResult(step: PlanStep, results: ReadonlyMap<string, Result>): StepResult {
  const own = step.checkpointIds.flatMap((id) => results.get(id) ?? []);
  const worst = own.find((one) => one.state === "failed") ?? own.find((one) => one.state === "skipped") ?? own[0];
  return { n: step.n, ...(worst ?? { state: "skipped", outcome: "not reached" }) };
}
