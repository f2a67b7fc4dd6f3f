/** One changing call on one run of one domain: what was read of it last, and changes that are only made on that run. */
import type { HostCheckpoint, Observation } from "#chain/model.ts";
import type { HostError } from "#contract/agent-operations.ts";
import { problemOfRead } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { HostFailure, observeError } from "../failure.ts";
import { toHostError } from "../host-error.ts";
import type { Change, HostSteps, ImageBitmap, Pin } from "./host-steps.ts";

/** So many changes a call of the host: each takes about 20 ms, and between two calls the run is looked at again. */
export const BATCH = 50;
/** So often the work goes on after the host was lost under it, having read what came of it. */
const MOST_RELOOKS = 2;

/** What became of a batch. `reread`: how far it came is only known from the observation, which is fresh. */
export type BatchOutcome = { reread: false; done: number; error: HostError | null } | { reread: true };

export class PinnedWork {
  readonly #host: HostSteps;
  readonly pin: Pin;
  #observation: Observation;
  #relooks = 0;
  /** What a change of this call was told of the domain's lock. */
  #locked: HostError | null = null;

  private constructor(host: HostSteps, observation: Observation) {
    this.#host = host;
    this.#observation = observation;
    this.pin = { vmId: observation.vmId, runtimeId: observation.runtimeId };
  }

  /**
   * Reads the domain, and makes sure that it is the run that the caller means and that no job is on it.
   * @throws ProblemError `not_found`, `conflict`, `vm_busy`; HostFailure
   */
  static async open(
    host: HostSteps,
    vmId: string,
    expect: { runtimeId: string | null } | undefined,
  ): Promise<PinnedWork> {
    const observation = await host.observe(vmId);
    if (expect !== undefined && expect.runtimeId !== observation.runtimeId) {
      throw otherRun(vmId, expect.runtimeId, observation.runtimeId);
    }
    if (observation.power === "unknown" || observation.power === "absent") {
      throw new ProblemError("cannot_tell", "libvirt did not say whether the domain runs.", { subject: vmId });
    }
    const { job } = observation;
    if (!job.ok) throw problemOfRead(job.error, vmId);
    if (job.value.operation !== "none" && job.value.operation !== "lost-backup") {
      const detail = `A ${job.value.operation} job is on this domain, since ${Math.round(job.value.elapsedMs / 1000)} s.`;
      throw new ProblemError("vm_busy", detail, { subject: vmId });
    }
    return new PinnedWork(host, assertListed(observation));
  }

  /** The last read. */
  get observation(): Observation {
    return this.#observation;
  }
  get isLive(): boolean {
    return this.pin.runtimeId !== null;
  }
  /** What libvirt listed at the last read, parents first. */
  get listed(): HostCheckpoint[] {
    return this.#observation.checkpoints.ok ? this.#observation.checkpoints.value : [];
  }

  /**
   * Reads again. Where a lock was held before and nothing can be read since, that lock is the reason: libvirt's words are
   * kept, and not that a read was slow.
   * @throws ProblemError `conflict` when it is another run; HostFailure
   */
  async refresh(): Promise<Observation> {
    const { vmId, runtimeId } = this.pin;
    const observation = await this.#host.observe(vmId).catch((thrown: unknown) => {
      if (this.#locked === null || !(thrown instanceof HostFailure)) throw thrown;
      throw new HostFailure(observeError("lock-held", this.#locked.message, this.#locked.hostMessage));
    });
    if (observation.runtimeId !== runtimeId) throw otherRun(vmId, runtimeId, observation.runtimeId);
    this.#observation = assertListed(observation);
    return observation;
  }

  /**
   * Makes the changes in order until the first that fails. When the host was lost on the way it is read again before
   * anything else; when that happens too often the next change counts as failed.
   */
  async change(changes: Change[]): Promise<BatchOutcome> {
    try {
      const outcome = await this.#host.change(this.pin, changes);
      if (outcome.error?.code === "lock-held") this.#locked ??= outcome.error;
      return { reread: false, ...outcome };
    } catch (thrown) {
      if (!(thrown instanceof HostFailure)) throw thrown;
      if (thrown.error.code === "domain-changed") {
        throw new ProblemError("conflict", thrown.error.message, {
          subject: this.pin.vmId,
          hostMessage: thrown.error.hostMessage,
        });
      }
      // Said before the first change.
      if (thrown.error.code === "lock-held") {
        this.#locked ??= toHostError(thrown);
        return { reread: false, done: 0, error: toHostError(thrown) };
      }
      await this.refresh();
      this.#relooks += 1;
      if (this.#relooks > MOST_RELOOKS) return { reread: false, done: 0, error: toHostError(thrown) };
      return { reread: true };
    }
  }

  /** Looks whether it is still that run and whether a job is on it. The error says why nothing may be changed now. */
  async assertFree(): Promise<HostError | null> {
    for (;;) {
      const outcome = await this.change([]);
      if (!outcome.reread) return outcome.error;
    }
  }

  removeImageBitmap(image: ImageBitmap): Promise<HostError | null> {
    return this.#host.removeImageBitmap(this.pin, image);
  }
}

function otherRun(vmId: string, meant: string | null, found: string | null): ProblemError {
  const detail = `This is another run of the domain: meant was ${meant ?? "that it does not run"}, found ${found ?? "that it does not run"}.`;
  return new ProblemError("conflict", detail, { subject: vmId });
}

function assertListed(observation: Observation): Observation {
  const { checkpoints, vmId } = observation;
  if (!checkpoints.ok) throw problemOfRead(checkpoints.error, vmId);
  return observation;
}
