import type { Observation } from "#chain/model.ts";
import { getVm, listPresence } from "#db/index.ts";
import { readHost } from "../../observe/read.ts";
import { readSpeakersObservation } from "../../observe/recompute.ts";
import { StepFailed, TryAgain, toFailure } from "../failure.ts";
import type { JobRun } from "../run.ts";

/** Reads the VM on the job's host now and writes it down. @throws TryAgain or StepFailed: no complete read */
export async function observe(run: JobRun): Promise<void> {
  const { engine, host, job } = run;
  let read: Awaited<ReturnType<typeof readHost>>;
  try {
    read = await readHost(engine, host, { vmIds: [job.vmId], force: true, signal: run.signal });
  } catch (error) {
    run.signal.throwIfAborted();
    throw toFailure(error, host.name);
  }
  if (read.failed > 0) {
    const error = (await getVm(engine.db.orm, job.vmId))?.error;
    if (error?.retryable === false) throw new StepFailed(error.message, error.hostMessage);
    const isLost = error?.code === "libvirt-unreachable" || error?.code === "timeout";
    throw new TryAgain(error?.message ?? "The VM could not be read.", error?.hostMessage ?? null, isLost);
  }
}

/** What the job's host shows of the VM now; null: it does not know it. @throws TryAgain or StepFailed: no complete read */
export async function look(run: JobRun): Promise<Observation | null> {
  await observe(run);
  const { orm } = run.engine.db;
  const { vmId } = run.job;
  const vm = await getVm(orm, vmId);
  const presence = (await listPresence(orm, vmId)).find((one) => one.hostId === run.host.id);
  if (!vm || !presence || presence.power === "absent") return null;
  const seen = await readSpeakersObservation(orm, presence, vm);
  if (!seen?.checkpoints.ok) throw new TryAgain("libvirt's list of checkpoints could not be read.", null, false);
  return seen;
}
