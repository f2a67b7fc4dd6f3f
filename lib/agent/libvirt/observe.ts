/** One observation of one domain: a single round trip to a call child, and the images' own word when it does not run. */
import type { DiskObservation, Observation, Read } from "#chain/model.ts";
import { HostFailure } from "../failure.ts";
import { sealObservation } from "../operations/observation.ts";
import type { LiveDisk } from "../qemu/nodes.ts";
import type { CallPool } from "./call-pool.ts";
import { readColdDisks } from "./cold.ts";
import type { InspectedDisk, Inspection } from "./ipc.ts";

const isActive = (power: Observation["power"]): boolean => power === "running" || power === "paused";

function toDisk(disk: InspectedDisk, read: Read<LiveDisk>): DiskObservation {
  const virtualSize = read.ok ? read.value.virtualSize : null;
  return {
    target: disk.target,
    source: disk.source,
    format: disk.format,
    virtualSize,
    identity: disk.identity === null ? null : { ...disk.identity, size: virtualSize },
    layers: read.ok ? { ok: true, value: read.value.layers } : read,
  };
}

function toObservation(inspection: Inspection, observedAt: string, reads: Read<LiveDisk>[]): Observation {
  const { vmId, name, power, persistent, runtimeId, checkpoints, job } = inspection;
  const disks = inspection.disks.flatMap((disk, i) => {
    const read = reads[i];
    return read === undefined ? [] : [toDisk(disk, read)];
  });
  const source = isActive(power) ? ("qmp" as const) : ("image" as const);
  return sealObservation({ vmId, name, power, persistent, runtimeId, observedAt, source, checkpoints, disks, job });
}

function domainChanged(inspection: Inspection): never {
  throw new HostFailure({
    code: "domain-changed",
    message: "The domain was started or stopped during the read.",
    hostMessage: `was ${inspection.power}`,
    retryable: true,
  });
}

async function readOnce(pool: CallPool, vmId: string, qmp: boolean): Promise<Observation | null> {
  const observedAt = new Date().toISOString();
  const inspection = await pool.call("inspect", { vmId, qmp }, { vmId });
  if (inspection === null) return null;
  const cold = inspection.disks.some((disk) => disk.live === null);
  const stopped = inspection.disks.filter((disk) => disk.live === null);
  const images = stopped.length > 0 ? await readColdDisks(pool, vmId, stopped) : [];
  const reads = inspection.disks.flatMap((disk) => disk.live ?? images[stopped.indexOf(disk)] ?? []);
  if (cold) {
    // The images were read after libvirt: a start in between would make a running VM's file look like a broken one.
    const after = await pool.call("state", { vmId }, { vmId });
    if (after === null || isActive(after.power)) domainChanged(inspection);
  }
  return toObservation(inspection, observedAt, reads);
}

/**
 * Reads one domain; null when libvirt knows none. A domain that was started or stopped under the read is read once
 * more.
 * @throws HostFailure
 */
export async function observeDomain(pool: CallPool, vmId: string, qmp: boolean): Promise<Observation | null> {
  try {
    return await readOnce(pool, vmId, qmp);
  } catch (thrown) {
    if (!(thrown instanceof HostFailure) || thrown.error.code !== "domain-changed") throw thrown;
    return await readOnce(pool, vmId, qmp);
  }
}
