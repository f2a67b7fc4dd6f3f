/** The complete set of checkpoints against libvirt's metadata and the bitmaps, as they are now. Changes nothing. */
import type { Observation } from "#chain/model.ts";
import { type ValidateInput, type ValidateResult, validateSet } from "#chain/validate.ts";
import type { RecordedCheckpointInput } from "#contract/agent.ts";
import { invalidInput, problemOfRead } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import type { HostDriver } from "../driver.ts";

/** Offences that a schema cannot see: a name or a disk that comes twice. Order, gaps and cycles become findings. */
function findDuplicates(checkpoints: RecordedCheckpointInput[]): { field: string; reason: string }[] {
  const offences: { field: string; reason: string }[] = [];
  const first = new Map<string, number>();
  for (const [i, { id, disks }] of checkpoints.entries()) {
    const earlier = first.get(id);
    if (earlier === undefined) first.set(id, i);
    else offences.push({ field: `checkpoints[${i}].id`, reason: `'${id}' is checkpoints[${earlier}] already` });
    const seen = new Set<string>();
    for (const [j, { target }] of disks.entries()) {
      const field = `checkpoints[${i}].disks[${j}].target`;
      if (seen.has(target)) offences.push({ field, reason: `'${target}' comes twice` });
      seen.add(target);
    }
  }
  return offences;
}

/** One fresh read of one domain. @throws ProblemError not_found, or why it cannot be read */
export async function observeNow(driver: HostDriver, vmId: string): Promise<Observation> {
  for await (const item of await driver.observe({ vmIds: [vmId] })) {
    if (item.type === "observation") return item.observation;
    if (item.type === "failed") throw problemOfRead(item.error, vmId);
  }
  throw new ProblemError("not_found", "This host has no such domain.", { subject: vmId });
}

export async function validateCheckpoints(
  driver: HostDriver,
  { vmId, ...set }: Omit<ValidateInput, "observation"> & { vmId: string; checkpoints: RecordedCheckpointInput[] },
): Promise<ValidateResult & { observedAt: string }> {
  const duplicates = findDuplicates(set.checkpoints);
  if (duplicates.length > 0) throw invalidInput(duplicates);
  const observation = await observeNow(driver, vmId);
  return { ...validateSet({ ...set, observation }), observedAt: observation.observedAt };
}
