/** Waits until the product has recovered, and does what a person would do then. */
import { setTimeout as delay } from "node:timers/promises";
import type { PlanRequest } from "#chain/plan/model.ts";
import { getJob, getVm, listLeftovers, listOpenFindings, listPresence } from "#db/index.ts";
import { readSpeakersObservation } from "../../observe/recompute.ts";
import { chooseSpeaker } from "../../observe/speaker.ts";
import { applyNow, readAll } from "../plan-job.ts";
import type { Restarts } from "./model.ts";
import type { Stage } from "./stage.ts";
import { readFalseBases, readOwnerless, readRecorded } from "./witness.ts";
import { tellError } from "./words.ts";

const SETTLE_MS = 90_000;
const LOOK_MS = 25;
const ASK_MS = 500;
const ROUNDS = 5;

/** Looks at every moment for what must never be: a base whose backup did not finish, a bitmap that the record does not know. */
export class Watch {
  readonly seen = new Set<string>();
  /** Bitmaps that were on a disk at some moment. */
  readonly met = new Set<string>();
  #stopped = false;
  readonly #work: Promise<void>;

  constructor(stage: Stage) {
    this.#work = this.#look(stage).catch((error: unknown) => {
      this.seen.add(`nobody watched any more: ${tellError(error)}`);
    });
  }

  async #look(stage: Stage): Promise<void> {
    while (!this.#stopped) {
      for (const words of await readFalseBases(stage)) this.seen.add(words);
      for (const words of await readOwnerless(stage, this.met)) this.seen.add(words);
      await delay(LOOK_MS);
    }
  }

  async stop(): Promise<string[]> {
    this.#stopped = true;
    await this.#work;
    return [...this.seen];
  }
}

/** libvirt holds the VM for a backup that it lost with its process: what was made of it cannot be taken away before a restart. */
async function isBackupLost({ engine, vm }: Stage): Promise<boolean> {
  const open = await listOpenFindings(engine.db.orm, vm.id);
  return open.some(({ kind, reason }) => kind === "backup.stuck" && reason === "lost-by-libvirt");
}

/** The product names the QEMU of a VM that libvirt takes for shut off. */
async function isLossOfVmTold({ engine, vm }: Stage): Promise<boolean> {
  await readAll(engine, vm.id);
  const { orm } = engine.db;
  const row = await getVm(orm, vm.id);
  const speaker = row && chooseSpeaker(await listPresence(orm, vm.id), row.hostId);
  const seen = speaker && (await readSpeakersObservation(orm, speaker, row));
  return (
    seen?.disks.some(({ layers }) => !layers.ok && /is a QEMU of this VM/.test(layers.error.hostMessage ?? "")) ?? false
  );
}

/** Does what the product asks a person to do after libvirt lost something with its process. True: something was done. */
async function doAsTold(stage: Stage, restarts: Restarts): Promise<boolean> {
  if (await isBackupLost(stage)) {
    restarts.lostBackups += 1;
    await stage.restartVmAndLibvirt();
    return true;
  }
  if (!(await stage.isVmLost()) || !(await isLossOfVmTold(stage))) return false;
  restarts.lostVms += 1;
  await stage.endLostVm();
  return true;
}

/**
 * Until no job works on the VM and nothing is between two states. Returns how the job ended. `restarts`: where libvirt lost
 * something, it is counted, and that is done which the product then asks for; without it that is no end.
 * @throws with everything that is known
 */
export async function settle(stage: Stage, jobId: string, restarts?: Restarts): Promise<string> {
  const { orm, pool } = stage.engine.db;
  let deadline = Date.now() + SETTLE_MS;
  let askedAt = 0;
  for (;;) {
    const job = await getJob(orm, jobId);
    const leftovers = await listLeftovers(orm, 10);
    const between = (await readRecorded(stage)).filter((item) => item.state !== "active");
    const { rows: live } = await pool.query(
      "select id, kind, state, error from jobs where vm_id = $1 and state in ('queued', 'running')",
      [stage.vm.id],
    );
    const isEnded = job?.endedAt != null && live.length === 0;
    const isSettled = isEnded && leftovers.length === 0 && between.length === 0;
    if (restarts && isEnded && (isSettled || Date.now() - askedAt > ASK_MS)) {
      askedAt = Date.now();
      if (await doAsTold(stage, restarts)) {
        deadline = Date.now() + SETTLE_MS;
        continue;
      }
    }
    if (isSettled && job) return `${job.state}${job.error ? ` (${job.error})` : ""}`;
    if (Date.now() > deadline) throw new Error(`not settled in ${SETTLE_MS / 1_000} s: ${await tellAll(stage)}`);
    await delay(LOOK_MS);
  }
}

/** All that the product wrote down, uncut: what the host said is what one wants to know then. */
async function tellAll({ engine, vm }: Stage): Promise<string> {
  const { orm, pool } = engine.db;
  const jobs = await pool.query<{ id: string }>(
    "select id from jobs where vm_id = $1 order by created_at desc limit 4",
    [vm.id],
  );
  const shown = await Promise.all(
    jobs.rows.map(async ({ id }) => {
      const job = await getJob(orm, id);
      const steps = job?.steps.filter((step) => step.error !== null || step.state === "running");
      return { kind: job?.kind, state: job?.state, error: job?.error, steps };
    }),
  );
  const error = (await getVm(orm, vm.id))?.error;
  const tell = (args: string[]) => vm.virsh(args).catch((thrown: unknown) => String(thrown));
  const host = await Promise.all([
    tell(["domstate", vm.id]),
    tell(["domjobinfo", vm.id]),
    tell(["backup-dumpxml", vm.id]),
    tell(["checkpoint-list", vm.id]),
  ]);
  return JSON.stringify({ jobs: shown, error, host }, null, 1);
}

/** Redefines what libvirt lost with its process, heals what died with QEMU. `during`: with the first job that it makes. */
export async function converge(
  stage: Stage,
  restarts: Restarts,
  during: (jobId: string) => Promise<void>,
): Promise<void> {
  const { db } = stage.engine;
  let jobs = 0;
  for (let i = 0; i < ROUNDS; i++) {
    await readAll(stage.engine, stage.vm.id);
    if (await doAsTold(stage, restarts)) continue;
    const open = await listOpenFindings(db.orm, stage.vm.id);
    if (open.length === 0) return;
    const heals = open.some((finding) => finding.remedies.includes("heal"));
    const request: PlanRequest = heals
      ? { intent: "heal", mode: "salvage", findings: null }
      : { intent: "redefine", mode: "salvage" };
    const jobId = await applyNow(db, stage.vm.id, request);
    if (jobs === 0) await during(jobId);
    jobs += 1;
    await settle(stage, jobId, restarts);
  }
  await readAll(stage.engine, stage.vm.id);
}
