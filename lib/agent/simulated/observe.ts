/** What an observation of a simulated domain says. */
import type { DiskObservation, HostCheckpoint, Observation, ObserveErrorCode } from "#chain/model.ts";
import { HostFailure, observeError } from "../failure.ts";
import { TEMPORARY_CHECKPOINT } from "../operations/host-steps.ts";
import { sealObservation } from "../operations/observation.ts";
import type { SimDisk, SimDomain } from "./state.ts";

export const isOn = (domain: SimDomain): boolean => domain.power !== "shut-off";
export const runtimeIdOf = (domain: SimDomain): string | null => (isOn(domain) ? `sim-${domain.run}` : null);
export const simulated = (code: ObserveErrorCode) =>
  observeError(code, "The simulated host is told to fail here.", "simulated");

function toDisk(disk: SimDisk, isRunning: boolean, qmp: boolean): DiskObservation {
  const { target, source, format, virtualSize, device, inode, failure } = disk;
  const forbidden =
    isRunning && !qmp ? observeError("qmp-forbidden", "This site does not let the agent ask QEMU.") : null;
  const error = failure === null ? forbidden : simulated(failure);
  const known = error === null ? virtualSize : null;
  return {
    target,
    source,
    format,
    virtualSize: known,
    identity: { path: source, device, inode, size: known },
    layers:
      error === null
        ? {
            ok: true,
            value: disk.layers.map((layer, depth) => ({
              depth,
              path: layer.path,
              format: layer.format,
              qcow2Compat: layer.qcow2Compat,
              bitmaps: layer.bitmaps.map(({ isStored: _, ...bitmap }) => ({
                ...bitmap,
                // The image of a stopped domain does not say it.
                dirtyBytes: isRunning ? bitmap.dirtyBytes : null,
              })),
            })),
          }
        : { ok: false, error },
  };
}

/** @throws HostFailure when the domain is told to fail */
export function observeDomain(domain: SimDomain, qmp: boolean): Observation {
  if (domain.failure !== null) throw new HostFailure(simulated(domain.failure));
  const { vmId, name, power, persistent } = domain;
  const checkpoints: HostCheckpoint[] = domain.checkpoints.filter(({ id }) => id !== TEMPORARY_CHECKPOINT);
  return sealObservation({
    vmId,
    name,
    power,
    persistent,
    runtimeId: runtimeIdOf(domain),
    observedAt: new Date().toISOString(),
    source: isOn(domain) ? "qmp" : "image",
    checkpoints: { ok: true, value: checkpoints },
    disks: domain.disks.map((disk) => toDisk(disk, isOn(domain), qmp)),
    job: { ok: true, value: domain.job ?? { operation: "none", elapsedMs: 0, doneBytes: null, totalBytes: null } },
  });
}
