/** What an agent said of one VM, written down. Every function is one transaction. */
import { countsOf } from "#chain/digest.ts";
import type { DirtyCount, Observation, ObserveError } from "#chain/model.ts";
import {
  inTransaction,
  listPresence,
  lockVm,
  notifyChange,
  saveDisks,
  saveIdentitySample,
  saveObservation,
  savePresence,
  savePresenceError,
  saveSamples,
  saveSummary,
  type Tx,
} from "#db/index.ts";
import type { Engine } from "../state.ts";
import { NOTHING, type Recomputed, recompute } from "./recompute.ts";

const isActive = (power: string | undefined) => power === "running" || power === "paused";

/**
 * Whether a newer read than this one is known: answers may overtake each other. What is dropped for that was asked for
 * before the one that stands was read, which is then as fresh. A time ahead of ours comes from a server whose clock is
 * wrong, says nothing of which is newer, and gives way.
 */
function isOvertaken(before: { observedAt: string | null } | null, at: Date): boolean {
  const known = Date.parse(before?.observedAt ?? "");
  return known > at.getTime() && known <= Date.now();
}

async function presenceOn(tx: Tx, vmId: string, hostId: string) {
  return (await listPresence(tx, vmId)).find((presence) => presence.hostId === hostId) ?? null;
}

/** A complete read. One that is older than what is known is dropped: answers may overtake each other. */
export function applyObservation(engine: Engine, hostId: string, observation: Observation): Promise<Recomputed> {
  return inTransaction(engine.db, async (tx) => {
    const { vmId } = observation;
    const at = new Date(observation.observedAt);
    await lockVm(tx, { id: vmId, name: observation.name });
    const before = await presenceOn(tx, vmId, hostId);
    if (isOvertaken(before, at)) return NOTHING;
    const observationId = await saveObservation(tx, hostId, observation);
    const diskIds = await saveDisks(tx, vmId, at, observation.disks);
    const counts = countsOf(observation);
    await saveSamples(tx, vmId, diskIds, before?.counts ?? [], counts, at, observation.runtimeId);
    for (const { target, identity } of observation.disks) {
      const diskId = diskIds.get(target);
      if (diskId && identity) await saveIdentitySample(tx, { vmId, diskId, hostId, identity, at });
    }
    const active = isActive(observation.power);
    const unbroken = isActive(before?.power) && before?.runtimeId === observation.runtimeId;
    await savePresence(tx, {
      vmId,
      hostId,
      power: observation.power,
      runtimeId: observation.runtimeId,
      activeSince: active ? (unbroken && before?.activeSince ? new Date(before.activeSince) : at) : null,
      observationId,
      digest: observation.digest,
      countsDigest: observation.countsDigest,
      // A cold read has no counts; the last live ones are no statement of now.
      counts,
      observedAt: at,
      triedAt: at,
    });
    return recompute(tx, engine, vmId);
  });
}

/** Only the dirty counts moved. */
export function applyCounts(
  engine: Engine,
  hostId: string,
  item: { vmId: string; digest: string; countsDigest: string; at: string; counts: DirtyCount[] | null },
): Promise<Recomputed> {
  return inTransaction(engine.db, async (tx) => {
    const at = new Date(item.at);
    await lockVm(tx, { id: item.vmId });
    const before = await presenceOn(tx, item.vmId, hostId);
    if (!before || before.digest !== item.digest) return NOTHING;
    if (isOvertaken(before, at)) return NOTHING;
    const counts = item.counts ?? before.counts;
    const diskIds = await saveDisks(tx, item.vmId, at, []);
    await saveSamples(tx, item.vmId, diskIds, before.counts, counts, at, before.runtimeId);
    await savePresence(tx, {
      ...before,
      activeSince: before.activeSince ? new Date(before.activeSince) : null,
      countsDigest: item.countsDigest,
      counts,
      observedAt: at,
      triedAt: at,
    });
    return recompute(tx, engine, item.vmId);
  });
}

/** The read gave nothing. What was known stays as it was read; only the failure is new. */
export function applyFailure(
  engine: Engine,
  hostId: string,
  vmId: string,
  at: string,
  error: ObserveError,
): Promise<Recomputed> {
  return inTransaction(engine.db, async (tx) => {
    // A VM that could never be read still exists. It has no name yet but its id.
    await lockVm(tx, { id: vmId, name: vmId });
    await savePresenceError(tx, vmId, hostId, new Date(at), error);
    return { ...(await recompute(tx, engine, vmId)), unsettled: error.retryable };
  });
}

/**
 * What was read could not be stored. As little as possible is written, and nothing is judged: whatever stood in the way
 * may stand there too.
 */
export function applyUnstored(
  engine: Engine,
  hostId: string,
  vmId: string,
  at: string,
  error: ObserveError,
): Promise<void> {
  return inTransaction(engine.db, async (tx) => {
    const vm = await lockVm(tx, { id: vmId, name: vmId });
    const triedAt = new Date(at);
    await savePresenceError(tx, vmId, hostId, triedAt, error);
    if (vm && (vm.hostId === null || vm.hostId === hostId)) await saveSummary(tx, vmId, { hostId, triedAt, error });
    await notifyChange(tx, { type: "vm", vmId });
  });
}

/** The host does not know the VM (any more). Its record stands; a VM that nobody ever saw does not come to be by this. */
export function applyAbsent(engine: Engine, hostId: string, vmId: string, at: string): Promise<Recomputed> {
  return inTransaction(engine.db, async (tx) => {
    if (!(await lockVm(tx, { id: vmId }))) return NOTHING;
    const before = await presenceOn(tx, vmId, hostId);
    if (isOvertaken(before, new Date(at))) return NOTHING;
    await savePresence(tx, {
      vmId,
      hostId,
      power: "absent",
      runtimeId: null,
      activeSince: null,
      observationId: before?.observationId ?? null,
      digest: null,
      countsDigest: null,
      counts: before?.counts ?? [],
      observedAt: new Date(at),
      triedAt: new Date(at),
    });
    return recompute(tx, engine, vmId);
  });
}
