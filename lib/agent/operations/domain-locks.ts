/** One call that works on a domain at a time. In memory: what an agent that was killed had begun is read from the host. */
import { ProblemError } from "#contract/problem.ts";
import { within } from "./within.ts";

/** So long a call waits for one that only looks: it changes nothing and is over soon. */
const LOOK_WAIT_MS = 10_000;

type Holder = { what: string; since: string; isLook: boolean; ended: Promise<true> };

export class DomainLocks {
  readonly #held = new Map<string, Holder>();

  /**
   * Holds the domain's lock until `work` has settled, also when the caller is gone by then.
   * @param what in words, for whoever meets it held
   * @throws ProblemError `vm_busy` when another call holds it: at once, or after a wait where that one only looks
   */
  run<T>(vmId: string, what: string, work: () => Promise<T>): Promise<T> {
    return this.#run(vmId, { what, isLook: false }, work);
  }

  /** The same for what changes nothing and yet takes the domain for itself, such as a job that only looks at a bitmap. */
  look<T>(vmId: string, what: string, work: () => Promise<T>): Promise<T> {
    return this.#run(vmId, { what, isLook: true }, work);
  }

  async #run<T>(vmId: string, how: { what: string; isLook: boolean }, work: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + LOOK_WAIT_MS;
    for (let holder = this.#held.get(vmId); holder !== undefined; holder = this.#held.get(vmId)) {
      if (holder.isLook && (await within(holder.ended, deadline - Date.now())) !== null) continue;
      const detail = `Another call holds this VM on its host: ${holder.what}, since ${holder.since}.`;
      throw new ProblemError("vm_busy", detail, { subject: vmId });
    }
    const ended = Promise.withResolvers<true>();
    this.#held.set(vmId, { ...how, since: new Date().toISOString(), ended: ended.promise });
    try {
      return await work();
    } finally {
      this.#held.delete(vmId);
      ended.resolve(true);
    }
  }
}
