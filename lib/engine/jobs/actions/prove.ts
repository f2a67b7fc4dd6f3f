import type { PlanStep } from "#chain/plan/model.ts";
import { endJob, getObservation, getVm, listFindingsAt, listOpenFindings, saveSteps, type Tx } from "#db/index.ts";
import { recompute } from "../../observe/recompute.ts";
import { finishJob } from "../end.ts";
import { type JobRun, pause, record } from "../run.ts";
import { observe } from "./observe.ts";

/** What a job has just done may need a moment to be seen (a bitmap is busy until its job is quite gone). */
const LOOKS = 4;
const WAIT_MS = 700;

/**
 * The last action of every plan: reads the host again and compares with what the plan promised. The job succeeds only
 * with a complete read and no promised finding left; it ends in the same transaction.
 * @throws TryAgain when the host cannot be read
 */
export async function prove(run: JobRun, steps: PlanStep[]): Promise<void> {
  for (let look = 1; ; look++) {
    await observe(run);
    const isLast = look === LOOKS;
    try {
      await record(run, (tx) => settle(tx, run, steps, isLast));
      return;
    } catch (error) {
      if (!(error instanceof NotYet)) throw error;
    }
    await pause(run, WAIT_MS);
  }
}

/** Rolls the transaction back: nothing of the look is kept. */
class NotYet extends Error {}

async function settle(tx: Tx, run: JobRun, steps: PlanStep[], isLast: boolean): Promise<void> {
  const { job } = run;
  // No longer in flight: what the job did is judged like everything else.
  await endJob(tx, job, { state: "succeeded", error: null, proof: null });
  await recompute(tx, run.engine, job.vmId);
  const open = new Set((await listOpenFindings(tx, job.vmId)).map((finding) => finding.id));
  const vm = await getVm(tx, job.vmId);
  const before = await listFindingsAt(tx, job.vmId, job.plan.basis.observedAt);
  const { promises } = job.plan;
  const left = promises.filter((id) => open.has(id));
  if (left.length > 0 && !isLast) throw new NotYet();
  const proof = {
    observedAt: vm?.observedAt ?? new Date().toISOString(),
    digest: (await digestOf(tx, job.vmId)) ?? "",
    agreement: vm?.agreement ?? "unknown",
    gone: promises.filter((id) => !open.has(id)),
    left,
    appeared: [...open].filter((id) => !before.has(id)),
  };
  const error =
    left.length === 0
      ? null
      : `Everything was done, but ${left.length} of the ${promises.length} findings that it was to end still stand.`;
  await saveSteps(
    tx,
    job,
    steps.map(({ n }) => ({
      n,
      state: error ? ("failed" as const) : ("succeeded" as const),
      outcome: `observed again: ${vm?.agreement ?? "unknown"}`,
      error,
    })),
  );
  await finishJob(tx, run, { state: error ? "failed" : "succeeded", error, proof });
}

async function digestOf(tx: Tx, vmId: string): Promise<string | null> {
  const vm = await getVm(tx, vmId);
  if (!vm?.observationId) return null;
  return (await getObservation(tx, vm.observationId))?.digest ?? null;
}
