import type { PlanStep } from "#chain/plan/model.ts";
import { TryAgain } from "../failure.ts";
import { callHost, type JobRun, pause, recordSteps } from "../run.ts";
import { readCurrent } from "./backup-job.ts";

const ANSWER_MS = 60_000;
const POLL_MS = 500;
const LONGEST_MS = 60_000;

/** Ends the backup job that holds the domain and waits until libvirt has none. */
export async function abortJob(run: JobRun, steps: PlanStep[]): Promise<void> {
  const ended = await abortBackup(run);
  await recordSteps(
    run,
    steps.map(({ n }) => ({ n, state: "succeeded" as const, outcome: ended ? "aborted" : "nothing was running" })),
  );
}

/** Whether there was one. @throws TryAgain while it still runs after a minute */
export async function abortBackup(run: JobRun): Promise<boolean> {
  const { vmId } = run.job;
  const read = () => readCurrent(run);
  if ((await read()).state !== "running") return false;
  await callHost(run, ANSWER_MS, (api, options) => api.abortBackup({ vmId }, options));
  const deadline = Date.now() + LONGEST_MS;
  while ((await read()).state === "running") {
    if (Date.now() > deadline) throw new TryAgain("The backup was asked to end and still runs.", null, false);
    await pause(run, POLL_MS);
  }
  return true;
}
