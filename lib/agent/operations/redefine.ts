/** Bulk redefine: makes libvirt's list equal to the wanted one, parents first, having looked at every bitmap first. */
import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "#chain/limits.ts";
import type { Observation } from "#chain/model.ts";
import type { HostError, RedefineInput, RedefineResult } from "#contract/agent-operations.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { hostError } from "../host-error.ts";
import { findReasons, needsValidation, type Reason, takeInventory } from "./bitmap-health.ts";
import { findOffences, findUnknownDisks } from "./definitions.ts";
import type { Change, Define, HostSteps } from "./host-steps.ts";
import { BATCH, PinnedWork } from "./pinned-work.ts";
import { isSame, type Listed, planRedefine } from "./redefine-plan.ts";

/** While another's job holds the VM, what was made is taken back as soon as that job ends, if it ends within this time. */
const ROLL_BACK_PAUSE_MS = 500;
const ROLL_BACK_WAIT_MS = 20_000;

/** One definition that this call made, and what stood there before; null: nothing. */
type Made = { define: Define; previous: Listed | null };
type Pause = (ms: number) => Promise<unknown>;

class Redefinition {
  readonly #work: PinnedWork;
  readonly #wanted: RedefineInput["checkpoints"];
  readonly #isStrict: boolean;
  /** What libvirt lists, kept up with what was done. */
  #listed: Map<string, Listed>;
  #made: Made[] = [];
  readonly #refused: Map<string, Reason[]>;
  /** Of these libvirt must look at the bitmaps: nobody else may on this host. */
  readonly #unseen: ReadonlySet<string>;
  readonly #failed = new Map<string, HostError>();
  readonly #rolledBack: string[] = [];
  readonly #pause: Pause;

  constructor(work: PinnedWork, { checkpoints, mode }: RedefineInput, pause: Pause) {
    this.#work = work;
    this.#pause = pause;
    this.#wanted = checkpoints;
    this.#isStrict = mode === "strict";
    this.#listed = listedOf(work);
    const inventory = takeInventory(work.observation);
    this.#unseen = new Set(checkpoints.filter((one) => needsValidation(inventory, one)).map(({ id }) => id));
    this.#refused = new Map();
    for (const checkpoint of checkpoints) {
      const reasons = findReasons(inventory, checkpoint);
      if (reasons.length > 0) this.#refused.set(checkpoint.id, reasons);
    }
  }

  async run(): Promise<void> {
    if (this.#isStrict && this.#refused.size > 0) return;
    for (;;) {
      const { steps } = this.#plan();
      const batch = steps.slice(0, BATCH);
      if (batch.length === 0) return;
      const error = await this.#define(batch);
      if (error === null) continue;
      if (this.#isStrict) return await this.#rollBack();
      // What may pass by itself would meet the others too.
      if (error.retryable) for (const { id } of this.#plan().steps) this.#failed.set(id, error);
    }
  }

  #plan() {
    const leftOut = new Set([...this.#refused.keys(), ...this.#failed.keys()]);
    const { steps, unchanged } = planRedefine(this.#wanted, leftOut, this.#listed);
    return { steps: steps.map((step) => ({ ...step, validate: this.#unseen.has(step.id) })), unchanged };
  }

  /** The error of the first that failed, which is noted; null: go on. */
  async #define(batch: Define[]): Promise<HostError | null> {
    const outcome = await this.#work.change(batch);
    if (outcome.reread) {
      const now = listedOf(this.#work);
      for (const define of batch) if (isSame(now.get(define.id), define)) this.#note(define);
      this.#listed = now;
      return null;
    }
    for (const define of batch.slice(0, outcome.done)) this.#note(define);
    const next = batch[outcome.done];
    if (outcome.error === null || next === undefined) return null;
    this.#failed.set(next.id, outcome.error);
    return outcome.error;
  }

  #note(define: Define): void {
    this.#made.push({ define, previous: this.#listed.get(define.id) ?? null });
    this.#listed.set(define.id, { ...define, disks: define.disks ?? [], hasDisksElement: true });
  }

  /** Takes back what this call made, the last first; metadata only. Each step may be done twice. */
  async #rollBack(): Promise<void> {
    const mayWait = waitsFor(this.#pause);
    while (this.#made.length > 0) {
      const batch = this.#made.slice(-BATCH).reverse();
      const outcome = await this.#work.change(batch.map(undo));
      if (outcome.reread) continue;
      for (const { define, previous } of batch.slice(0, outcome.done)) {
        this.#rolledBack.push(define.id);
        this.#made.pop();
        if (previous === null) this.#listed.delete(define.id);
        else this.#listed.set(define.id, previous);
      }
      if (outcome.error !== null && !(isHeldForNow(outcome.error) && (await mayWait()))) return;
    }
  }

  /** Reads the host once more; what is not there as it was made counts as failed. */
  async finish(began: number): Promise<RedefineResult> {
    const { unchanged } = this.#plan();
    const proof = await this.#work.refresh();
    const now = listedOf(this.#work);
    const made = new Map(this.#made.map((one) => [one.define.id, one]));
    const isThere = (id: string): boolean => {
      const wanted = made.get(id)?.define;
      const listed = this.#listed.get(id);
      if (isSame(now.get(id), wanted ?? { do: "define", id, ...(listed ?? NOTHING) })) return true;
      const words = "Somebody else changed it meanwhile.";
      this.#failed.set(id, { ...hostError("domain-changed", words), retryable: true });
      return false;
    };
    const done = [...made.keys()].filter(isThere);
    const kept = unchanged.filter((id) => !made.has(id)).filter(isThere);
    const named = new Set([...done, ...kept, ...this.#refused.keys(), ...this.#failed.keys(), ...this.#rolledBack]);
    return {
      defined: done.filter((id) => made.get(id)?.previous === null),
      replaced: done.filter((id) => made.get(id)?.previous !== null),
      unchanged: kept,
      refused: [...this.#refused].map(([id, reasons]) => ({ id, reasons })),
      failed: [...this.#failed].map(([id, error]) => ({ id, error })),
      rolledBack: this.#rolledBack,
      notTried: this.#wanted.map(({ id }) => id).filter((id) => !named.has(id)),
      elapsedMs: performance.now() - began,
      proof,
    };
  }
}

const isHeldForNow = ({ code, retryable }: HostError): boolean => code === "lock-held" && retryable;

/** Waits a moment and says true; false when the time for it is over, which libvirt's own waiting counts into. */
function waitsFor(pause: Pause): () => Promise<boolean> {
  const until = performance.now() + ROLL_BACK_WAIT_MS;
  let left = ROLL_BACK_WAIT_MS / ROLL_BACK_PAUSE_MS;
  return async () => {
    left -= 1;
    if (left < 0 || performance.now() > until) return false;
    await pause(ROLL_BACK_PAUSE_MS);
    return true;
  };
}

const NOTHING: Listed = { parentId: null, createdAt: "", hasDisksElement: false, disks: [] };

const listedOf = (work: PinnedWork): Map<string, Listed> => new Map(work.listed.map((c) => [c.id, c]));

function undo({ define, previous }: Made): Change {
  if (previous === null) return { do: "delete", id: define.id, metadataOnly: true };
  const { parentId, createdAt, disks, hasDisksElement } = previous;
  return { do: "define", id: define.id, parentId, createdAt, disks: hasDisksElement ? disks : null };
}

/**
 * strict: one checkpoint without a healthy bitmap, or one error, and nothing is changed. salvage: what has no healthy
 * bitmap is left out. What libvirt lists beyond the wanted list stays as it is.
 * @throws ProblemError `invalid_input` with every offence, `not_found`, `conflict`, `vm_busy`; HostFailure
 */
export async function redefine(host: HostSteps, input: RedefineInput, pause: Pause = sleep): Promise<RedefineResult> {
  const began = performance.now();
  const offences = findOffences(input.checkpoints);
  const unknownOn = (seen: Observation) => (input.mode === "strict" ? findUnknownDisks(input.checkpoints, seen) : []);
  if (offences.length > 0) {
    // A domain that cannot be read now hides nothing of the rest.
    const unknown = await host.observe(input.vmId).then(unknownOn, () => []);
    throw invalidInput([...offences, ...unknown]);
  }
  const work = await PinnedWork.open(host, input.vmId, input.expect);
  const unknown = unknownOn(work.observation);
  if (unknown.length > 0) throw invalidInput(unknown);
  const ids = new Set([...work.listed.map(({ id }) => id), ...input.checkpoints.map(({ id }) => id)]);
  if (ids.size > LIMITS.checkpointsPerVm) {
    const detail = `libvirt lists at most ${LIMITS.checkpointsPerVm} checkpoints of a domain; this would make ${ids.size}.`;
    throw new ProblemError("unsupported", detail, { subject: input.vmId });
  }
  const redefinition = new Redefinition(work, input, pause);
  await redefinition.run();
  return await redefinition.finish(began);
}
