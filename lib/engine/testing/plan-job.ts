/** Makes the job of a request as applying its plan does, without the checks that only concern people. */
import { randomUUID } from "node:crypto";
import { buildPlan } from "#chain/plan/build.ts";
import type { Plan, PlanRequest } from "#chain/plan/model.ts";
import {
  type Db,
  getJob,
  getVm,
  insertJob,
  insertPlan,
  inTransaction,
  listOpenFindings,
  listPresence,
  listRestorePoints,
  lockVm,
  markPlanApplied,
  readRecord,
  type Tx,
} from "#db/index.ts";
import { enqueueJob } from "../jobs/queue.ts";
import { readHost } from "../observe/read.ts";
import { readSpeakersObservation } from "../observe/recompute.ts";
import { chooseSpeaker } from "../observe/speaker.ts";
import type { Engine } from "../state.ts";
import { until } from "./rig.ts";

export async function readAll(engine: Engine, vmId: string): Promise<void> {
  for (const host of engine.hosts.values()) await readHost(engine, host, { vmIds: [vmId], force: true });
}

/** The plan on what the database knows now. @throws naming the refusals when there is none */
export async function planOf(tx: Tx, vmId: string, request: PlanRequest): Promise<Plan> {
  const vm = await getVm(tx, vmId);
  const record = await readRecord(tx, vmId);
  const speaker = vm && chooseSpeaker(await listPresence(tx, vmId), vm.hostId);
  const observation = speaker && (await readSpeakersObservation(tx, speaker, vm));
  if (!vm || !record || !speaker || !observation) throw new Error("the VM was not read");
  const result = buildPlan({
    vmName: vm.name,
    hostId: speaker.hostId,
    record,
    observation,
    findings: await listOpenFindings(tx, vmId),
    request,
    policy: { leastTier: {}, digestBackups: true },
    newCheckpointId: `b-${randomUUID().slice(0, 8)}`,
    restorePoints: await listRestorePoints(tx, vmId),
  });
  if (!result.ok) throw new Error(`no plan: ${result.refusals.map((one) => one.reason).join(" ")}`);
  return result.plan;
}

/** Makes the job and wakes a worker. Returns its id. */
export function applyNow(db: Db, vmId: string, request: PlanRequest): Promise<string> {
  return inTransaction(db, async (tx) => {
    await lockVm(tx, { id: vmId });
    return enqueuePlan(tx, vmId, await planOf(tx, vmId, request));
  });
}

export async function enqueuePlan(tx: Tx, vmId: string, plan: Plan): Promise<string> {
  const now = new Date();
  const planId = await insertPlan(tx, {
    vmId,
    groupId: null,
    body: plan,
    createdBy: "test",
    createdAt: now,
    expiresAt: new Date(now.getTime() + 60_000),
  });
  await markPlanApplied(tx, planId);
  const jobId = await insertJob(tx, {
    planId,
    vmId,
    kind: plan.request.intent,
    steps: plan.steps,
    actor: "test",
    role: "operator",
    reason: "for the test",
    traceId: null,
    idempotencyKey: null,
  });
  await enqueueJob(tx, { jobId, vmId });
  return jobId;
}

export type EndedJob = NonNullable<Awaited<ReturnType<typeof getJob>>>;

/** Waits for the end of a job. */
export async function ended(engine: Engine, jobId: string, limitMs = 60_000): Promise<EndedJob> {
  const job = await until(
    () => getJob(engine.db.orm, jobId),
    (one) => one !== null && one.endedAt !== null,
    limitMs,
  );
  if (!job) throw new Error("the job is gone");
  return job;
}

/** Reads the VM, plans, runs, and waits for the end. */
export async function run(engine: Engine, vmId: string, request: PlanRequest): Promise<EndedJob> {
  await readAll(engine, vmId);
  return ended(engine, await applyNow(engine.db, vmId, request));
}
