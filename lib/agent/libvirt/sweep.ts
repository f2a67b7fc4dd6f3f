/** Takes away what an agent that was killed has left in libvirt's lists. */
import type { CallPool } from "./call-pool.ts";

/**
 * Looks for the temporary definition of every domain. No change of this agent is disturbed: a domain's calls come one
 * after the other, and a change makes and deletes that definition within one. What cannot be reached now is met by the
 * next change of that domain, and shown to nobody until then.
 */
export async function sweepLeftovers(pool: CallPool): Promise<void> {
  for (const vmId of await pool.call("ids", {})) {
    await pool.call("sweep", { vmId }, { vmId }).catch(() => false);
  }
}
