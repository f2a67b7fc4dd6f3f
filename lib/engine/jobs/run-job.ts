/** Runs one job until it ends, must wait, or belongs to somebody else. */
import { randomUUID } from "node:crypto";
import type { PlanStep, PlanVerb } from "#chain/plan/model.ts";
import {
  assertLease,
  getVm,
  inTransaction,
  isCancelRequested,
  isConnectionError,
  type JobToRun,
  type Lease,
  LeaseLost,
  listPresence,
  readJobToRun,
  renewLease,
  saveContact,
  saveSteps,
  saveTrouble,
  startJob,
  takeLease,
  yieldLease,
} from "#db/index.ts";
import { log } from "../log.ts";
import { activeElsewhere, chooseSpeaker, isActive } from "../observe/speaker.ts";
import type { Engine } from "../state.ts";
import { withTrace } from "../trace.ts";
import { runAction } from "./actions/index.ts";
import { observe } from "./actions/observe.ts";
import { finishJob, type JobEnd } from "./end.ts";
import { Cancelled, StepFailed, TryAgain, toFailure } from "./failure.ts";
import { enqueueJob } from "./queue.ts";
import { type JobRun, noteProgress, record } from "./run.ts";

/** Backoff grows with the time already waited, and needs no counter that a crash would lose. */
const FIRST_WAIT_S = 0.5;
const LONGEST_WAIT_S = 10;

/**
 * One attempt. Ends without a word when the job is over, or when its VM is held by another job or process. Whatever it
 * leaves undone is found again by the next attempt, which reads the host before it acts.
 */
export async function runJob(engine: Engine, jobId: string, holder: string, stopping: AbortSignal): Promise<void> {
  const { orm } = engine.db;
  const job = await readJobToRun(orm, jobId);
  if (!job || (job.state !== "queued" && job.state !== "running") || stopping.aborted) return;
  const lease: Lease = { vmId: job.vmId, jobId, holder };
  const seconds = engine.config.policy.leaseSeconds;
  if (!(await takeLease(orm, lease, seconds))) return;
  const lost = new AbortController();
  const renewal = keepLease(engine, lease, seconds, lost);
  try {
    // Read again: another process may have gone on with it until the lease was ours.
    const fresh = await readJobToRun(orm, jobId);
    const signal = AbortSignal.any([lost.signal, stopping]);
    // Its calls carry the id of the request that asked for the job.
    if (fresh) await withTrace(fresh.traceId ?? randomUUID(), () => attempt(engine, fresh, lease, signal));
  } catch (error) {
    if (error instanceof LeaseLost || lost.signal.aborted) log.warn({ jobId }, "a job went to another process");
    else if (isConnectionError(error)) log.warn({ jobId }, "the database was lost in a job; it goes on later");
    else if (!stopping.aborted) log.error({ jobId, err: error }, "a job met an error of ours; it is tried again");
  } finally {
    clearInterval(renewal);
    await yieldLease(orm, lease).catch(() => {});
  }
}

/** A lease that cannot be renewed in time counts as lost: the database may have given it away. */
function keepLease(engine: Engine, lease: Lease, seconds: number, lost: AbortController): NodeJS.Timeout {
  let renewedAt = Date.now();
  return setInterval(
    () => {
      const asked = Date.now();
      renewLease(engine.db.orm, lease, seconds)
        .then(() => {
          renewedAt = asked;
        })
        .catch((error: unknown) => {
          if (error instanceof LeaseLost || Date.now() - renewedAt > seconds * 900) lost.abort(new LeaseLost());
        });
    },
    (seconds * 1_000) / 4,
  );
}

async function attempt(engine: Engine, job: JobToRun, lease: Lease, signal: AbortSignal): Promise<void> {
  const { plan } = job;
  const host = engine.hosts.get(plan.basis.hostId);
  const held = { job, lease, engine, signal };
  if (!host) {
    await end(held, { state: "failed", error: "The host is not in the configuration any more.", proof: null });
    return;
  }
  const run: JobRun = { ...held, host };
  await record(run, (tx) => startJob(tx, { id: job.id, vmId: job.vmId, steps: plan.steps }));
  const stateOf = new Map(job.steps.map((step) => [step.n, step.state]));
  const isDone = doneOf(job);
  for (const [i, action] of plan.actions.entries()) {
    if (isDone(i)) continue;
    const steps = plan.steps.filter((step) => step.action === i);
    try {
      await refuseElsewhere(run, action.verb);
      // Nothing is left to be stopped once only the proof is missing; a backup stops in its own way.
      const begun = steps.some((step) => stateOf.get(step.n) === "running");
      if (action.verb !== "prove" && !(action.verb === "host.backup" && begun)) {
        if (await isCancelRequested(engine.db.orm, job.id)) throw new Cancelled();
      }
      if (!action.verb.startsWith("record.")) await markRunning(run, steps);
      await runAction(run, action, steps);
      if (action.verb !== "prove") await noteProgress(run);
    } catch (error) {
      signal.throwIfAborted();
      await settleFailure(run, steps, toFailure(error, host.name));
      return;
    }
  }
  if (plan.actions.at(-1)?.verb !== "prove")
    await end(run, { state: "failed", error: "The plan does not end with a proof.", proof: null });
}

/**
 * Which actions need not be done again: all of their steps came to their end, or a later one has begun, which it does only
 * then (a salvaging redefine goes on over steps that failed). An action that failed while its job did not end with it is
 * done again: what its steps say was noted before anybody acted on it.
 */
function doneOf({ plan, steps }: JobToRun): (action: number) => boolean {
  const stateOf = new Map(steps.map((step) => [step.n, step.state]));
  const open = new Map<number, boolean>();
  let lastBegun = -1;
  for (const { n, action } of plan.steps) {
    const state = stateOf.get(n) ?? "queued";
    open.set(action, (open.get(action) ?? false) || (state !== "succeeded" && state !== "skipped"));
    if (state !== "queued") lastBegun = Math.max(lastBegun, action);
  }
  return (action) => action < lastBegun || open.get(action) === false;
}

const markRunning = (run: JobRun, steps: PlanStep[]): Promise<void> =>
  record(run, (tx) =>
    saveSteps(
      tx,
      run.job,
      steps.map(({ n }) => ({ n, state: "running" as const })),
    ),
  );

/**
 * A VM that runs twice is never changed, whoever planned what; one that may is read again first. On a host that it has left
 * to run elsewhere nothing is asked for: a plan for a stopped VM pins no run that would tell it.
 */
async function refuseElsewhere(run: JobRun, verb: PlanVerb): Promise<void> {
  const { orm } = run.engine.db;
  const vm = await getVm(orm, run.job.vmId);
  if (vm?.kindNames.includes("vm.two-hosts")) throw new StepFailed("The VM runs on two hosts: nothing is changed.");
  const presences = await listPresence(orm, run.job.vmId);
  const speaker = chooseSpeaker(presences, vm?.hostId ?? null);
  const [other] = speaker ? activeElsewhere(presences, speaker).unproven : [];
  if (other) throw new TryAgain(`${other.hostName} was seen to run the VM too, and is read again.`, null, false);
  if (verb.startsWith("host.") && speaker && speaker.hostId !== run.host.id && isActive(speaker))
    throw new StepFailed(
      `The VM runs on ${speaker.hostName} now, and the plan was made for ${run.host.name}: nothing is changed there. Plan again.`,
    );
}

/** A read after work that was cut short is worth this much time; the next sweep reads it anyway. */
const LAST_LOOK_MS = 10_000;

/** What stands after a job that ends without its proof is judged on what its work left, not on what was there before. */
async function lookAgain(run: JobRun): Promise<void> {
  const signal = AbortSignal.any([run.signal, AbortSignal.timeout(LAST_LOOK_MS)]);
  await observe({ ...run, signal }).catch(() => run.signal.throwIfAborted());
}

async function settleFailure(run: JobRun, steps: PlanStep[], failure: unknown): Promise<void> {
  if (failure instanceof Cancelled || failure instanceof StepFailed) await lookAgain(run);
  if (failure instanceof Cancelled) {
    await end(run, { state: "cancelled", error: "Cancelled on request.", proof: null });
  } else if (failure instanceof StepFailed) {
    await record(run, async (tx) => {
      await saveSteps(tx, run.job, await unfinished(run, steps, "failed", failure));
      await finishJob(tx, run, { state: "failed", error: failure.message, proof: null });
    });
  } else if (failure instanceof TryAgain) {
    await waitOrGiveUp(run, steps, failure);
  } else {
    throw failure;
  }
}

/** Steps of the action that have not come to an end; what was recorded of the others stays. */
async function unfinished(
  run: JobRun,
  steps: PlanStep[],
  state: "failed" | "running",
  { message, hostMessage }: { message: string; hostMessage: string | null },
) {
  const now = await readJobToRun(run.engine.db.orm, run.job.id);
  const stateOf = new Map(now?.steps.map((step) => [step.n, step.state]));
  const keep = state === "failed" ? ["succeeded", "failed", "skipped"] : ["succeeded"];
  return steps
    .filter((step) => !keep.includes(stateOf.get(step.n) ?? "queued"))
    .map(({ n }) => ({ n, state, error: message, hostMessage }));
}

/**
 * What counts is how long the host is silent, or how long it is tried in vain since anything came on: work that has taken
 * hours may meet its first trouble as late as that.
 */
async function waitOrGiveUp(run: JobRun, steps: PlanStep[], failure: TryAgain): Promise<void> {
  const { job, engine } = run;
  const limitMs = engine.config.policy.giveUpAfterSeconds * 1_000;
  const now = await readJobToRun(engine.db.orm, job.id);
  const since = Date.parse((failure.isLost ? now?.lostContactSince : now?.troubleSince) ?? "") || Date.now();
  const waitedMs = Date.now() - since;
  if (waitedMs > limitMs) {
    const state = failure.isLost ? ("lost" as const) : ("failed" as const);
    const minutes = Math.round(waitedMs / 60_000);
    const error = failure.isLost
      ? `The host has not answered for ${minutes} min: ${failure.message} What it did last is not known.`
      : `Still so after ${minutes} min: ${failure.message}`;
    await end(run, { state, error, proof: null });
    return;
  }
  const afterSeconds = Math.min(LONGEST_WAIT_S, Math.max(FIRST_WAIT_S, waitedMs / 2_000));
  await record(run, async (tx) => {
    await saveSteps(tx, job, await unfinished(run, steps, "running", failure));
    await saveContact(tx, job, failure.isLost);
    if (!failure.isLost) await saveTrouble(tx, job, true);
    await enqueueJob(tx, { jobId: job.id, vmId: job.vmId, afterSeconds });
  });
}

function end(run: Pick<JobRun, "engine" | "job" | "lease">, how: JobEnd): Promise<void> {
  return inTransaction(run.engine.db, async (tx) => {
    await assertLease(tx, run.lease);
    await finishJob(tx, run, how);
  });
}
