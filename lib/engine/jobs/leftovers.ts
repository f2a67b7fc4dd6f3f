/**
 * What jobs left behind that ended before their work was done: rows between two states, backups that nobody watches.
 * Finished or undone by a plan and a job like any other, on a fresh and complete read of the host and never on less.
 */
import { buildPlan } from "#chain/plan/build.ts";
import type { Plan, PlanAction, PlanInput } from "#chain/plan/model.ts";
import { listSteps } from "#chain/plan/steps.ts";
import {
  findLiveJob,
  getVm,
  holdHost,
  insertJob,
  insertPlan,
  inTransaction,
  listLeftovers,
  listRunningBackups,
  lockVm,
  markPlanApplied,
  readCleanUps,
  type Tx,
  writeAudit,
} from "#db/index.ts";
import { isAgentFailure } from "../agents/failure.ts";
import { log } from "../log.ts";
import { readHost } from "../observe/read.ts";
import { readSituation } from "../plans/situation.ts";
import type { Engine } from "../state.ts";
import { enqueueJob } from "./queue.ts";

/** Between two attempts on one VM: at first at once, then further and further apart. */
const FIRST_WAIT_MS = 4_000;
const LONGEST_WAIT_MS = 3_600_000;
const AT_ONCE = 20;
/** A VM for which nothing can be done now is not read again at once. Only a pace: a restart begins anew. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 300_000;
type Pauses = Map<string, { until: number; ms: number }>;
const PLAN_LIFE_MS = 15 * 60_000;
const REASON = "An earlier job ended before its work was done.";

/** Makes a job for each VM with leftovers that no job works on and whose host can be read; returns the one to call. */
export function cleaner(engine: Engine, signal: AbortSignal): () => Promise<void> {
  const pauses: Pauses = new Map();
  return async () => {
    const found = await listLeftovers(engine.db.orm, AT_ONCE);
    for (const vmId of pauses.keys()) if (!found.includes(vmId)) pauses.delete(vmId);
    for (const vmId of found) {
      if (signal.aborted) return;
      if (Date.now() < (pauses.get(vmId)?.until ?? 0)) continue;
      try {
        await cleanVm(engine, vmId, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isAgentFailure(error)) log.warn({ vmId, err: error }, "leftovers of a job could not be looked at");
      }
      const ms = Math.min(LONGEST_PAUSE_MS, 2 * (pauses.get(vmId)?.ms ?? FIRST_PAUSE_MS / 2));
      pauses.set(vmId, { until: Date.now() + ms, ms });
    }
  };
}

async function cleanVm(engine: Engine, vmId: string, signal: AbortSignal): Promise<void> {
  const { orm } = engine.db;
  if (await mustWait(engine, vmId)) return;
  const vm = await getVm(orm, vmId);
  const host = vm?.hostId ? engine.hosts.get(vm.hostId) : undefined;
  if (!vm || !host) return;
  const askedAt = Date.now();
  const { failed } = await readHost(engine, host, { vmIds: [vmId], force: true, signal });
  if (failed > 0) return;
  await inTransaction(engine.db, async (tx) => {
    await lockVm(tx, { id: vmId });
    if (await findLiveJob(tx, vmId)) return;
    const plan = await planCleanUp(tx, vmId, askedAt);
    if (!plan || !(await holdHost(tx, plan.basis.hostId))) return;
    const now = new Date();
    const expiresAt = new Date(now.getTime() + PLAN_LIFE_MS);
    const planId = await insertPlan(tx, {
      vmId,
      groupId: null,
      body: plan,
      createdBy: "driftline",
      createdAt: now,
      expiresAt,
    });
    await markPlanApplied(tx, planId);
    const jobId = await insertJob(tx, {
      planId,
      vmId,
      kind: plan.request.intent,
      steps: plan.steps,
      actor: "driftline",
      role: null,
      reason: REASON,
      traceId: null,
      idempotencyKey: null,
    });
    await writeAudit(tx, {
      actor: "driftline",
      role: null,
      action: "plans.apply",
      subject: vmId,
      outcome: "done",
      detail: `${plan.request.intent}, tier ${plan.tier}, ${plan.steps.length} steps`,
      traceId: null,
      planId,
      jobId,
      reason: REASON,
    });
    await enqueueJob(tx, { jobId, vmId });
    log.info({ vmId, jobId }, "leftovers of a job are cleaned up");
  });
}

/** Clean-ups that failed are tried again after a while, which grows with their number. */
async function mustWait(engine: Engine, vmId: string): Promise<boolean> {
  const { failures, lastAt } = await readCleanUps(engine.db.orm, vmId);
  if (failures === 0 || lastAt === null) return false;
  return Date.now() - Date.parse(lastAt) < Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
}

/** null: nothing can be done on what is known now. */
async function planCleanUp(tx: Tx, vmId: string, askedAt: number): Promise<Plan | null> {
  const situation = await readSituation(tx, vmId);
  if (!situation || situation.error) return null;
  const { vmName, hostId, record, observation, findings, activeElsewhere } = situation;
  // Read before we asked: the answer came from elsewhere, or not at all.
  if (Date.parse(observation.observedAt) < askedAt || observation.power === "absent") return null;
  if (activeElsewhere.length > 0 || findings.some((finding) => finding.kind === "vm.two-hosts")) return null;
  const base: Omit<PlanInput, "request"> = {
    vmName,
    hostId,
    record,
    observation,
    findings,
    activeElsewhere,
    policy: { leastTier: {} },
    newCheckpointId: "unused",
    restorePoints: new Set(),
  };
  const [backup] = await listRunningBackups(tx, vmId);
  if (backup) {
    const row = record.checkpoints.find((item) => item.id === backup.checkpointId);
    const action: PlanAction = {
      verb: "host.backup",
      checkpointId: backup.checkpointId ?? "",
      parentId: row?.parentId ?? null,
      disks: backup.disks.map(({ target, mode, base: from }) => ({
        target,
        mode,
        base: from,
        inCheckpoint: row?.disks.some((disk) => disk.target === target) ?? false,
      })),
      repository: null,
      fallback: false,
    };
    return handMade(base, [action, { verb: "prove" }]);
  }
  const ids = record.checkpoints.filter((item) => item.state !== "active").map((item) => item.id);
  if (ids.length === 0) return null;
  const built = buildPlan({ ...base, request: { intent: "remove", checkpointIds: ids, bitmaps: [] } });
  return built.ok ? built.plan : null;
}

/** A plan that no request asks for: a backup that was begun is finished, or undone. */
function handMade(input: Omit<PlanInput, "request">, actions: PlanAction[]): Plan {
  const { record, observation, hostId } = input;
  const { steps, counts } = listSteps({ record, observation }, actions);
  return {
    request: {
      intent: "repair-record",
      links: false,
      retireDisks: [],
      acknowledge: [],
      closeBackup: true,
      abortJob: false,
    },
    tier: 2,
    basis: {
      recordRevision: record.revision,
      observationDigest: observation.digest,
      observedAt: observation.observedAt,
      hostId,
      runtimeId: observation.runtimeId,
    },
    consequences: ["A backup whose job ended is finished when its data is complete, else everything of it is removed."],
    losses: [],
    costs: [],
    counts,
    actions,
    steps,
    promises: [],
    appears: [],
    confirm: null,
    role: "operator",
  };
}
