/** One call that changes a domain at a time. In memory: what an agent that was killed had begun is read from the host. */
import { ProblemError } from "#contract/problem.ts";

export class DomainLocks {
  readonly #held = new Map<string, { what: string; since: string }>();

  /**
   * Holds the domain's lock until `work` has settled, also when the caller is gone by then.
   * @param what in words, for whoever meets it held
   * @throws ProblemError `vm_busy` at once when another call holds it
   */
  async run<T>(vmId: string, what: string, work: () => Promise<T>): Promise<T> {
    const holder = this.#held.get(vmId);
    if (holder !== undefined) {
      const detail = `Another call holds this VM on its host: ${holder.what}, since ${holder.since}.`;
      throw new ProblemError("vm_busy", detail, { subject: vmId });
    }
    this.#held.set(vmId, { what, since: new Date().toISOString() });
    try {
      return await work();
    } finally {
      this.#held.delete(vmId);
    }
  }
}
