/** Asks an agent and writes down what it says. */
import type { ObserveError } from "#chain/model.ts";
import type { ObserveItem } from "#contract/agent.ts";
import {
  inTransaction,
  knownDigests,
  listRestless,
  listVanished,
  markContact,
  markOffline,
  markSwept,
  notifyChange,
  touchUnchanged,
} from "#db/index.ts";
import { AgentCutOff, toObserveError } from "../agents/failure.ts";
import { confirmRotation } from "../hosts/confirm-rotation.ts";
import { log } from "../log.ts";
import type { Engine, EngineHost } from "../state.ts";
import { applyAbsent, applyCounts, applyFailure, applyObservation } from "./apply.ts";
import type { Recomputed } from "./recompute.ts";

export type ReadResult = { observed: number; unchanged: number; failed: number; unsettled: string[] };

type ToOurs = (at: string) => string;

const FLUSH_AT = 500;
const ONE_VM_MS = 60_000;
const ALL_VMS_MS = 30 * 60_000;

/**
 * Reads VMs of a host and applies each answer as it comes. `vmIds` absent: all of them, and those that are missing
 * from the complete answer are taken as gone. `force`: unchanged ones are sent whole too. `confirm: false`: VMs that
 * seem to run twice do not lead to reading other hosts (this is that read).
 * Throws when the agent fails or its answer is cut off; what was applied until then stays.
 */
export async function readHost(
  engine: Engine,
  host: EngineHost,
  options: {
    vmIds?: string[];
    force?: boolean;
    signal?: AbortSignal;
    confirm?: boolean;
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
  let quiet: { vmId: string; at: string }[] = [];
  const flush = async () => {
    const batch = quiet;
    quiet = [];
    atWork.push(...(await applyQuiet(engine, host, batch)));
  };
  const note = (vmId: string, outcome: Recomputed) => {
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
      result.unchanged += 1;
      quiet.push({ vmId, at: toOurs(item.observedAt) });
      if (quiet.length >= FLUSH_AT) await flush();
    } else {
      const outcome = await applyItem(engine, host, item, result, toOurs);
      if (item.type === "unchanged" && outcome.unsettled) atWork.push(vmId);
      note(vmId, outcome);
    }
  }
  await flush();
  if (!complete) throw new AgentCutOff();
  if (!options.vmIds) {
    for (const vmId of await listVanished(db.orm, host.id, seen)) {
      await applyAbsent(engine, host.id, vmId, startedAt.toISOString());
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

/** One answer that is more than "unchanged". An answer that cannot be written does not end the stream for the others. */
async function applyItem(
  engine: Engine,
  host: EngineHost,
  item: Exclude<ObserveItem, { type: "done" }>,
  result: ReadResult,
  toOurs: ToOurs,
): Promise<Recomputed> {
  switch (item.type) {
    case "observation": {
      result.observed += 1;
      const observedAt = toOurs(item.observation.observedAt);
      return applyObservation(engine, host.id, { ...item.observation, observedAt });
    }
    case "unchanged":
      result.unchanged += 1;
      return applyCounts(engine, host.id, { ...item, at: toOurs(item.observedAt) });
    case "failed":
      result.failed += 1;
      return applyFailure(engine, host.id, item.vmId, toOurs(item.at), item.error);
    case "absent":
      return applyAbsent(engine, host.id, item.vmId, toOurs(item.at));
  }
}

/**
 * VMs that are as they were: one statement for all, and a closer look at those whose state depends on time. Returns those
 * on which libvirt runs a job.
 */
async function applyQuiet(engine: Engine, host: EngineHost, batch: { vmId: string; at: string }[]): Promise<string[]> {
  const { db } = engine;
  const atWork: string[] = [];
  if (batch.length === 0) return atWork;
  const ids = batch.map((item) => item.vmId);
  const restless = new Set(await listRestless(db.orm, host.id, ids));
  // The oldest of the batch stands for all of it: never claims a read to be newer than it is.
  const at = new Date(Math.min(...batch.map((item) => Date.parse(item.at))));
  await inTransaction(db, (tx) =>
    touchUnchanged(
      tx,
      host.id,
      ids.filter((id) => !restless.has(id)),
      at,
    ),
  );
  if (restless.size === 0) return atWork;
  const presence = await knownDigests(db.orm, host.id, [...restless]);
  for (const { vmId, at: seenAt } of batch.filter((item) => restless.has(item.vmId))) {
    const [digest = "", countsDigest = ""] = (presence[vmId] ?? "").split(":");
    const { unsettled } = await applyCounts(engine, host.id, {
      vmId,
      digest,
      countsDigest,
      at: seenAt,
      counts: null,
    });
    if (unsettled) atWork.push(vmId);
  }
  return atWork;
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

/** Asks the host itself: name, versions, clock. Throws when it does not answer. */
export async function contactHost(engine: Engine, host: EngineHost): Promise<void> {
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
  await markContact(engine.db.orm, host.id, {
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
  await notifyChange(engine.db.orm, { type: "host", hostId: host.id });
  if (host.paired?.confirmPending) await confirmRotation(engine, host);
}

/** The host failed: everything it said stays, and is shown as old. */
export async function noteHostFailure(engine: Engine, host: EngineHost, error: unknown): Promise<ObserveError> {
  const reason = toObserveError(error, host.name);
  const news = await markOffline(engine.db.orm, host.id, reason);
  if (news) log.warn({ host: host.name, reason }, "host is offline");
  await notifyChange(engine.db.orm, { type: "host", hostId: host.id });
  return reason;
}
