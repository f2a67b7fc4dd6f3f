import { setTimeout as delay } from "node:timers/promises";
import type { ObserveError } from "#chain/model.ts";
import { ProblemError } from "#contract/problem.ts";
import { getVm, listPresence } from "#db/index.ts";
import { isAgentFailure, toObserveError } from "../agents/failure.ts";
import { applyFailure } from "../observe/apply.ts";
import { readHost } from "../observe/read.ts";
import { chooseSpeaker } from "../observe/speaker.ts";
import type { Engine } from "../state.ts";
import { noSuchVm } from "../vms/lookup.ts";

/** A VM that moved while it was read is followed this often. */
const MOST_HOSTS = 3;

export const cannotTell = (error: Omit<ObserveError, "code">, vmId: string): ProblemError => {
  const { message, hostMessage, retryable } = error;
  return new ProblemError("cannot_tell", message, { subject: vmId, hostMessage, retryable });
};

export const unread = (message: string, vmId: string) =>
  cannotTell({ message, hostMessage: null, retryable: true }, vmId);

/**
 * Makes sure that what is known of the VM was read within the last `maxAgeMs` (0: now), by reading its host if need
 * be. A VM that turns out to have moved is read where it is now.
 * @throws ProblemError cannot_tell with the host's words; not_found
 */
export async function observeFresh(engine: Engine, vmId: string, maxAgeMs: number): Promise<void> {
  const read = new Set<string>();
  for (;;) {
    const vm = await getVm(engine.db.orm, vmId);
    if (!vm) throw noSuchVm(vmId);
    const speaker = chooseSpeaker(await listPresence(engine.db.orm, vmId), vm.hostId);
    if (!speaker) throw unread("No host has shown this VM yet.", vmId);
    if (read.has(speaker.hostId)) {
      if (speaker.error) throw cannotTell(speaker.error, vmId);
      return;
    }
    const age = speaker.observedAt === null ? Number.POSITIVE_INFINITY : Date.now() - Date.parse(speaker.observedAt);
    // Read after now: by a server whose clock is ahead, so nobody knows when.
    if (!speaker.error && !speaker.hostOffline && age >= 0 && age < maxAgeMs) return;
    if (read.size >= MOST_HOSTS) throw unread("The VM moves from host to host; try again when it has settled.", vmId);
    read.add(speaker.hostId);
    const host = engine.hosts.get(speaker.hostId);
    if (!host) throw unread(`The host ${speaker.hostName} is not in the configuration any more.`, vmId);
    try {
      await readHost(engine, host, { vmIds: [vmId], force: true });
    } catch (error) {
      if (!isAgentFailure(error)) throw error;
      const reason = toObserveError(error, host.name);
      await applyFailure(engine, host.id, vmId, new Date().toISOString(), reason);
      throw cannotTell(reason, vmId);
    }
  }
}

/** Reads several VMs at once, one call a host, for at most `limitMs`. What could not be read says so later, by its age. */
export async function observeSeveral(engine: Engine, vmIds: readonly string[], limitMs: number): Promise<void> {
  const byHost = new Map<string, string[]>();
  for (const vmId of vmIds) {
    const vm = await getVm(engine.db.orm, vmId);
    const speaker = vm && chooseSpeaker(await listPresence(engine.db.orm, vmId), vm.hostId);
    if (speaker) byHost.set(speaker.hostId, [...(byHost.get(speaker.hostId) ?? []), vmId]);
  }
  const stopping = new AbortController();
  const reads = [...byHost].map(async ([hostId, ids]) => {
    const host = engine.hosts.get(hostId);
    if (!host) return;
    await readHost(engine, host, { vmIds: ids, force: true, signal: stopping.signal }).catch((error: unknown) => {
      if (!isAgentFailure(error)) throw error;
    });
  });
  const timer = new AbortController();
  await Promise.race([
    Promise.all(reads),
    delay(limitMs, undefined, { signal: timer.signal }).then(
      () => stopping.abort(),
      () => {},
    ),
  ]).finally(() => timer.abort());
}
