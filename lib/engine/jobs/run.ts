/** What an action gets: the job, the VM's lease, the host, and the one way to write down what happened. */
import { setTimeout as delay } from "node:timers/promises";
import type { PlanStep } from "#chain/plan/model.ts";
import {
  assertLease,
  inTransaction,
  isCancelRequested,
  type JobToRun,
  type Lease,
  lockVm,
  type StepResult,
  saveContact,
  saveSteps,
  saveTrouble,
  type Tx,
} from "#db/index.ts";
import type { AgentApi } from "../agents/client.ts";
import { AgentCutOff } from "../agents/failure.ts";
import { recompute } from "../observe/recompute.ts";
import type { Engine, EngineHost } from "../state.ts";
import { Cancelled, toFailure } from "./failure.ts";

export type JobRun = {
  engine: Engine;
  job: JobToRun;
  lease: Lease;
  host: EngineHost;
  /** Aborted when the lease is lost or the engine stops: nothing more may be begun. */
  signal: AbortSignal;
};

const PING_MS = 10_000;
const MOST_SILENT = 3;

/**
 * One transaction that writes down what a job did. It holds the lease's row: a worker that lost the VM writes nothing.
 * @throws LeaseLost
 */
export function record<T>(run: JobRun, work: (tx: Tx) => Promise<T>): Promise<T> {
  run.signal.throwIfAborted();
  return inTransaction(run.engine.db, async (tx) => {
    await assertLease(tx, run.lease);
    return work(tx);
  });
}

export const recordSteps = (run: JobRun, results: StepResult[]): Promise<void> =>
  record(run, (tx) => saveSteps(tx, run.job, results));

/** A change of the record and the end of its steps, in one transaction: neither is ever there without the other. */
export function changeRecord(run: JobRun, steps: PlanStep[], change: (tx: Tx) => Promise<string>): Promise<void> {
  return record(run, async (tx) => {
    await lockVm(tx, { id: run.job.vmId });
    const outcome = await change(tx);
    await saveSteps(
      tx,
      run.job,
      steps.map(({ n }) => ({ n, state: "succeeded" as const, outcome })),
    );
    await recompute(tx, run.engine, run.job.vmId);
  });
}

/**
 * Asks the agent. A long silence on the way ends it: while it waits it asks the agent for a sign of life, because a
 * network that swallows packets never says so. @throws StepFailed, TryAgain, LeaseLost
 */
export async function callHost<T>(
  run: JobRun,
  limitMs: number,
  call: (api: AgentApi, options: { signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const { api } = run.host.agent;
  const silence = new AbortController();
  let silent = 0;
  const ping = setInterval(() => {
    api
      .host({}, { signal: AbortSignal.timeout(PING_MS) })
      .then(() => {
        silent = 0;
      })
      .catch(() => {
        silent += 1;
        if (silent >= MOST_SILENT) silence.abort(new AgentCutOff("The agent does not answer any more."));
      });
  }, PING_MS);
  try {
    const signal = AbortSignal.any([run.signal, silence.signal, AbortSignal.timeout(limitMs)]);
    const answer = await call(api, { signal });
    await noteContact(run);
    return answer;
  } catch (error) {
    run.signal.throwIfAborted();
    throw toFailure(error, run.host.name);
  } finally {
    clearInterval(ping);
  }
}

/** The host answers again. */
async function noteContact(run: JobRun): Promise<void> {
  if (run.job.lostContactSince === null) return;
  await record(run, (tx) => saveContact(tx, run.job, false));
  run.job.lostContactSince = null;
}

/** Something was done that was not done before: what stood in the way does not any more. */
export async function noteProgress(run: JobRun): Promise<void> {
  if (run.job.troubleSince === null) return;
  await record(run, (tx) => saveTrouble(tx, run.job, false));
  run.job.troubleSince = null;
}

/** @throws Cancelled when a person asked for it */
export async function throwIfCancelled(run: JobRun): Promise<void> {
  if (await isCancelRequested(run.engine.db.orm, run.job.id)) throw new Cancelled();
}

/** @throws the signal's reason when the work must end */
export async function pause(run: JobRun, ms: number): Promise<void> {
  await delay(ms, undefined, { signal: run.signal }).catch(() => run.signal.throwIfAborted());
}

/** The run of the domain that the plan was made for: work begun on one never goes on on the next. */
export const expectOf = (run: JobRun) => ({ runtimeId: run.job.plan.basis.runtimeId });
