/** The steps of changing operations on real libvirt: calls to a child, and qemu-img for a domain that does not run. */
import { ProblemError } from "#contract/problem.ts";
import { HostFailure, observeError } from "../failure.ts";
import type { HostSteps } from "../operations/host-steps.ts";
import { removeImageBitmap } from "../qemu/remove-bitmap.ts";
import type { CallPool } from "./call-pool.ts";
import { observeDomain } from "./observe.ts";

/** libvirt gives up on a domain's lock after 30 s, and says so: it must be heard. */
const CHANGE_DEADLINE_MS = 60_000;

export function makeLibvirtSteps(pool: CallPool, qmp: boolean): HostSteps {
  const unknown = (vmId: string) => new ProblemError("not_found", "This host has no such domain.", { subject: vmId });
  return {
    async observe(vmId) {
      const observation = await observeDomain(pool, vmId, qmp);
      if (observation === null) throw unknown(vmId);
      return observation;
    },
    async change({ vmId, runtimeId }, changes) {
      const input = { vmId, runtimeId, changes };
      const outcome = await pool.call("change", input, { vmId, deadlineMs: CHANGE_DEADLINE_MS });
      if (outcome !== null) return outcome;
      throw new HostFailure(observeError("domain-changed", "The domain is gone.", vmId));
    },
    removeImageBitmap: (_, image) => removeImageBitmap(image),
  };
}
