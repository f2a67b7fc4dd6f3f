import type { PlanStep } from "#chain/plan/model.ts";
import { findRemains, listRemains, type Remains, sayRemains } from "#chain/plan/remains.ts";
import { endJob, getVm, listFindingsAt, listOpenFindings, listPresence, saveSteps, type Tx } from "#db/index.ts";
import { readSpeakersObservation, recompute } from "../../observe/recompute.ts";
import { chooseSpeaker } from "../../observe/speaker.ts";
import { finishJob } from "../end.ts";
import { type JobRun, pause, record } from "../run.ts";
import { observe } from "./observe.ts";

/** What a job has just done may need a moment to be seen (a bitmap is busy until its job is quite gone). */
const LOOKS = 4;
const WAIT_MS = 700;

/**
 * The last action of every plan: reads the host again and compares with what the plan promised. The job succeeds only
 * with a complete read, no promised finding left and nothing left of what was to be deleted; it ends in the same
 * transaction. What is new and was not foreseen is no failure of the plan, which kept its word, but is named.
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
  const speaker = vm && chooseSpeaker(await listPresence(tx, job.vmId), vm.hostId);
  const observation = speaker && (await readSpeakersObservation(tx, speaker, vm));
  const before = await listFindingsAt(tx, job.vmId, job.plan.basis.observedAt);
  const { promises, appears, actions } = job.plan;
  const left = promises.filter((id) => open.has(id));
  const remains = observation ? findRemains(observation, actions) : NOTHING;
  if (left.length + listRemains(remains).length > 0 && !isLast) throw new NotYet();
  const appeared = [...open].filter((id) => !before.has(id));
  const foreseen = appeared.filter((id) => appears.includes(id));
  const agreement = vm?.agreement ?? "unknown";
  const proof = {
    observedAt: vm?.observedAt ?? new Date().toISOString(),
    digest: observation?.digest ?? "",
    agreement,
    gone: promises.filter((id) => !open.has(id)),
    left,
    appeared,
    foreseen,
    remains: listRemains(remains),
  };
  const error = wordsOf(promises.length, left.length, remains);
  const news = appeared.length - foreseen.length;
  const outcome = [`observed again: ${agreement}`, news > 0 && `${news} new that the plan did not foresee`];
  await saveSteps(
    tx,
    job,
    steps.map(({ n }) => ({
      n,
      state: error ? ("failed" as const) : ("succeeded" as const),
      outcome: outcome.filter(Boolean).join("; "),
      error,
    })),
  );
  await finishJob(tx, run, { state: error ? "failed" : "succeeded", error, proof });
}

const NOTHING: Remains = { checkpoints: [], bitmaps: [] };

function wordsOf(promised: number, left: number, remains: Remains): string | null {
  const parts = [
    left > 0 && `${left} of the ${promised} findings that it was to end still stand`,
    listRemains(remains).length > 0 && `the host still shows what was to be deleted: ${sayRemains(remains)}`,
  ].filter(Boolean);
  return parts.length === 0 ? null : `Everything was done, but ${parts.join(", and ")}.`;
}
