/** Asks an agent and writes down what it says. */
import type { ObserveError } from "#chain/model.ts";
import {
  inTransaction,
  knownDigests,
  listVanished,
  markContact,
  markOffline,
  markSwept,
  notifyChange,
} from "#db/index.ts";
import { AgentCutOff, toObserveError } from "../agents/failure.ts";
import { confirmRotation } from "../hosts/confirm-rotation.ts";
import { log } from "../log.ts";
import type { Engine, EngineHost } from "../state.ts";
import type { Recomputed } from "./recompute.ts";
import { type ToOurs, type Unchanged, writeAbsent, writeItem, writeQuiet } from "./write-down.ts";

export type ReadResult = { observed: number; unchanged: number; failed: number; unsettled: string[] };

const FLUSH_AT = 500;
const ONE_VM_MS = 60_000;
const ALL_VMS_MS = 30 * 60_000;

/**
 * Reads VMs of a host and applies each answer as it comes. `vmIds` absent: all of them, and those that are missing
 * from the complete answer are taken as gone. `force`: unchanged ones are sent whole too. `confirm: false`: VMs that
 * seem to run twice do not lead to reading other hosts (this is that read).
 * Throws when the agent fails, its answer is cut off or the database is lost; what was applied until then stays.
 */
export async function readHost(
  engine: Engine,
  host: EngineHost,
  options: {
    vmIds?: string[];
    force?: boolean;
    signal?: AbortSignal;
    confirm?: boolean;
    /** Called for each VM whose answer is written down. */
    onAnswer?: (vmId: string) => void;
    /** Called for each VM that policy may want to repair, as soon as its answer is written down. */
    onRepairable?: (vmId: string) => void;
  } = {},
): Promise<ReadResult> {
  const { db } = engine;
  const startedAt = new Date();
  const known = options.force ? {} : await knownDigests(db.orm, host.id, options.vmIds);
  const limit = AbortSignal.timeout(options.vmIds ? ONE_VM_MS : ALL_VMS_MS);
  const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit;
  const askedAt = Date.now();
  const toOurs: ToOurs = (at) => host.agent.clock.toOurs(at, askedAt);
  const stream = await host.agent.api.observe({ domains: options.vmIds, known }, { signal });
  const result: ReadResult = { observed: 0, unchanged: 0, failed: 0, unsettled: [] };
  const seen: string[] = [];
  const toRead = new Map<string, string[]>();
  /** Unchanged, and libvirt runs a job there. */
  const atWork: string[] = [];
  let quiet: Unchanged[] = [];
  const flush = async () => {
    const batch = quiet;
    quiet = [];
    const written = await writeQuiet(engine, host, batch);
    atWork.push(...written.atWork);
    result.unchanged += batch.length - written.failed;
    result.failed += written.failed;
  };
  const note = (vmId: string, outcome: Recomputed) => {
    options.onAnswer?.(vmId);
    if (outcome.unsettled) result.unsettled.push(vmId);
    if (outcome.toRead.length > 0) toRead.set(vmId, outcome.toRead);
    else if (outcome.repairable) options.onRepairable?.(vmId);
  };
  let complete = false;
  for await (const item of stream) {
    if (item.type === "done") {
      complete = true;
      continue;
    }
    const vmId = item.type === "observation" ? item.observation.vmId : item.vmId;
    if (item.type !== "absent") seen.push(vmId);
    if (item.type === "unchanged" && item.counts === null) {
      quiet.push({ vmId, digest: item.digest, at: toOurs(item.observedAt) });
      if (quiet.length >= FLUSH_AT) await flush();
    } else {
      const written = await writeItem(engine, host, item, toOurs);
      if (written.failed) result.failed += 1;
      else if (item.type === "observation") result.observed += 1;
      else if (item.type === "unchanged") result.unchanged += 1;
      if (item.type === "unchanged" && written.unsettled && !written.failed) atWork.push(vmId);
      note(vmId, written);
    }
  }
  await flush();
  if (!complete) throw new AgentCutOff();
  if (!options.vmIds) {
    for (const vmId of await listVanished(db.orm, host.id, seen)) {
      const { failed } = await writeAbsent(engine, host, vmId, startedAt.toISOString());
      if (failed) result.failed += 1;
    }
    await markSwept(db.orm, host.id, new Date());
  }
  // "Unchanged" does not say for how long a job has held the VM by now.
  if (atWork.length > 0) await readHost(engine, host, { ...options, vmIds: atWork, force: true });
  if (options.confirm !== false) await confirmElsewhere(engine, toRead, options.onRepairable);
  engine.metrics.observed.inc({ result: "observed" }, result.observed);
  engine.metrics.observed.inc({ result: "unchanged" }, result.unchanged);
  engine.metrics.observed.inc({ result: "failed" }, result.failed);
  return result;
}

/** Reads the other hosts of VMs that now seem to run twice, so that two hosts are only reported when both say so now. */
async function confirmElsewhere(
  engine: Engine,
  toRead: Map<string, string[]>,
  onRepairable?: (vmId: string) => void,
): Promise<void> {
  const byHost = new Map<string, string[]>();
  for (const [vmId, hostIds] of toRead) {
    for (const hostId of hostIds) byHost.set(hostId, [...(byHost.get(hostId) ?? []), vmId]);
  }
  for (const [hostId, vmIds] of byHost) {
    const host = engine.hosts.get(hostId);
    if (!host) continue;
    await readHost(engine, host, { vmIds, force: true, confirm: false, onRepairable }).catch((error: unknown) => {
      log.warn({ host: host.name, err: toObserveError(error, host.name) }, "a second host could not be asked");
    });
  }
}

/** Asks the host itself: name, versions, clock, and whether it has libvirt. Throws when it does not answer. */
export async function contactHost(engine: Engine, host: EngineHost): Promise<"connected" | "disconnected"> {
  const info = await host.agent.api.host({}, { signal: AbortSignal.timeout(15_000) });
  const connected = info.connection.state === "connected";
  const error: ObserveError | null = connected
    ? null
    : (info.connection.error ?? {
        code: "libvirt-unreachable",
        message: `The agent on ${host.name} is not connected to libvirt (${info.connection.state}).`,
        hostMessage: null,
        retryable: true,
      });
  await inTransaction(engine.db, async (tx) => {
    const isNews = await markContact(tx, host.id, {
      kind: info.kind,
      libvirtVersion: info.libvirtVersion,
      qemuVersion: info.qemuVersion,
      agentVersion: info.agentVersion,
      clockSkewMs: Math.max(-2_000_000_000, Math.min(2_000_000_000, host.agent.clock.skewMs)),
      capabilities: info.capabilities,
      switchedOff: info.switchedOff,
      state: connected ? "online" : "degraded",
      error,
    });
    // Every open page reads the host's VMs again for this. How old things are, pages ask by themselves.
    if (isNews) await notifyChange(tx, { type: "host", hostId: host.id });
  });
  if (host.paired?.confirmPending) await confirmRotation(engine, host);
  return connected ? "connected" : "disconnected";
}

/** The host failed: everything it said stays, and is shown as old. */
export async function noteHostFailure(engine: Engine, host: EngineHost, error: unknown): Promise<ObserveError> {
  const reason = toObserveError(error, host.name);
  const { isNew } = await inTransaction(engine.db, async (tx) => {
    const offline = await markOffline(tx, host.id, reason);
    if (offline.differs) await notifyChange(tx, { type: "host", hostId: host.id });
    return offline;
  });
  if (isNew) log.warn({ host: host.name, reason }, "host is offline");
  return reason;
}
