/** A host that exists only in a file: for machines without libvirt and for fleets larger than a machine can run. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DomainSummary, HostEvent, HostInfo } from "#contract/agent.ts";
import type { Extents } from "#contract/common.ts";
import { ProblemError } from "#contract/problem.ts";
import { checkRepositories } from "../backups/repositories.ts";
import { Broadcast } from "../broadcast.ts";
import type { DomainItem, ExtentsRequest, HostDriver, HostState, ObserveRequest } from "../driver.ts";
import { HostFailure, observeError } from "../failure.ts";
import { makeCheckpointOperations } from "../operations/checkpoint-operations.ts";
import { toItem } from "../operations/observation.ts";
import { foldExtents } from "../qemu/extents.ts";
import { makeSimulatedBackups } from "./backups.ts";
import { eventsBetween } from "./changes.ts";
import { isOn, observeDomain, runtimeIdOf, simulated } from "./observe.ts";
import { domainsOf, readState, type SimDomain, stateStamp } from "./state.ts";
import { makeSimulatedSteps } from "./steps.ts";

const LOOK_EVERY_MS = 150;
const isoNow = (): string => new Date().toISOString();
/** Dirty clusters in runs of up to eight, spread over the disk: no real map stands behind the count. */
function spreadExtents(dirtyBytes: number, virtualSize: number, granularity: number) {
  const clusters = Math.min(Math.floor(dirtyBytes / granularity), Math.floor(virtualSize / granularity));
  const runs = Math.ceil(clusters / 8);
  const stride = runs === 0 ? 0 : Math.floor(virtualSize / granularity / runs);
  return Array.from({ length: runs }, (_, i) => ({
    offset: i * stride * granularity,
    lengthBytes: Math.min(8, clusters - i * 8) * granularity,
  }));
}

function readExtents(domain: SimDomain, request: ExtentsRequest): Extents {
  const disk = domain.disks.find((d) => d.target === request.target);
  const bitmap = disk?.layers.flatMap((layer) => layer.bitmaps).find((b) => b.name === request.name);
  if (disk === undefined || bitmap === undefined) {
    throw new ProblemError("not_found", "There is no such bitmap on this disk.", { subject: request.name });
  }
  if (disk.failure !== null) throw new HostFailure(simulated(disk.failure));
  if (domain.job !== null) {
    throw new HostFailure(observeError("lock-held", `A ${domain.job.operation} job is on this domain.`));
  }
  if (bitmap.inconsistent) {
    throw new ProblemError("unsupported", "This bitmap is inconsistent.", { subject: request.name });
  }
  const { virtualSize } = disk;
  const { granularity } = bitmap;
  const extents = spreadExtents(bitmap.dirtyBytes, virtualSize, granularity);
  return {
    disk: disk.target,
    bitmap: bitmap.name,
    source: isOn(domain) ? "backup-live" : "nbd-cold",
    observedAt: isoNow(),
    virtualSize,
    granularity,
    dirtyBytes: extents.reduce((sum, e) => sum + e.lengthBytes, 0),
    extentCount: extents.length,
    ...foldExtents(extents, { virtualSize, granularity, most: request.buckets }),
  };
}

export type SimulatedOptions = { path: string; qmp: boolean; repositories: readonly string[] };

/** @param path the state file; read again whenever it was replaced */
export function openSimulatedDriver({ path, qmp, repositories }: SimulatedOptions): HostDriver {
  const broadcast = new Broadcast<HostEvent>();
  let connection: HostInfo["connection"] = { state: "connecting", since: isoNow(), error: null };
  let domains: Map<string, SimDomain> = new Map();
  let stamp = "";

  function setConnection(state: "connected" | "disconnected", reason: string | null): void {
    if (connection.state === state) return;
    const error = reason === null ? null : observeError("libvirt-unreachable", "The simulated host is off.", reason);
    connection = { state, since: isoNow(), error };
    broadcast.publish({ type: "connection", state, reason, at: connection.since });
  }

  /** Looks at the file; emits what changed since the last look. */
  function refresh(): void {
    try {
      const seen = stateStamp(path);
      if (seen === stamp) return;
      const state = readState(path);
      const next = domainsOf(state);
      const events = stamp === "" ? [] : eventsBetween(domains, next, isoNow());
      [stamp, domains] = [seen, next];
      if (!state.connected) setConnection("disconnected", "switched off in the state file");
      else {
        setConnection("connected", null);
        for (const event of events) broadcast.publish(event);
      }
    } catch (thrown) {
      setConnection("disconnected", thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
  function connected(): Map<string, SimDomain> {
    refresh();
    if (connection.error !== null) throw new HostFailure(connection.error);
    return domains;
  }
  refresh();
  const backups = makeSimulatedBackups({
    path,
    repositories,
    find: (vmId) => connected().get(vmId),
    observe: (domain) => observeDomain(domain, qmp),
  });
  const timer = setInterval(() => {
    refresh();
    if (connection.error !== null) return;
    for (const { vmId, backup } of domains.values()) if (backup?.state === "running") backups.settle(vmId);
  }, LOOK_EVERY_MS);
  timer.unref();

  function observeOne(vmId: string, known: string | undefined): DomainItem {
    try {
      const domain = connected().get(vmId);
      if (domain === undefined) return { type: "absent", vmId, at: isoNow() };
      return toItem(observeDomain(domain, qmp), known);
    } catch (thrown) {
      if (thrown instanceof HostFailure) return { type: "failed", vmId, at: isoNow(), error: thrown.error };
      throw thrown;
    }
  }
  async function* observeAll(ids: Iterable<string>, { known, signal }: ObserveRequest): AsyncGenerator<DomainItem> {
    let count = 0;
    for (const vmId of ids) {
      if (signal?.aborted) return;
      yield observeOne(vmId, known?.[vmId]);
      count += 1;
      // A large fleet must not keep other requests waiting.
      if (count % 50 === 0) await sleep(0);
    }
  }

  const steps = makeSimulatedSteps({ path, qmp, find: (vmId) => connected().get(vmId) });

  return {
    ...makeCheckpointOperations(steps),
    ...backups.operations,
    async host(): Promise<HostState> {
      refresh();
      const usable = await checkRepositories(repositories, true);
      return {
        kind: "simulated",
        libvirtVersion: null,
        qemuVersion: null,
        connection,
        capabilities: { qmp, coldImages: true, coldExtents: true, liveExtents: true, backups: usable.backups },
        switchedOff: [{ what: "everything real", why: "this host is simulated from a file" }, ...usable.switchedOff],
      };
    },
    async listDomains(): Promise<DomainSummary[]> {
      return [...connected().values()].map((domain) => ({
        vmId: domain.vmId,
        name: domain.name,
        power: domain.power,
        persistent: domain.persistent,
        runtimeId: runtimeIdOf(domain),
        disks: domain.disks.map(({ target, source, format }) => ({ target, source, format })),
      }));
    },
    async observe(request) {
      return observeAll(new Set(request.vmIds ?? [...connected().keys()]), request);
    },
    async extents(request) {
      const domain = connected().get(request.vmId);
      if (domain !== undefined) return readExtents(domain, request);
      throw new ProblemError("not_found", "This host has no such domain.", { subject: request.vmId });
    },
    events(signal) {
      refresh();
      const state = connection.state === "connected" ? "connected" : "disconnected";
      const reason = connection.error?.hostMessage ?? null;
      return broadcast.subscribe(signal, [{ type: "connection", state, reason, at: connection.since }]);
    },
    gauges: () => ({
      libvirt_connected: connection.state === "connected" ? 1 : 0,
      event_readers: broadcast.readers,
      simulated_domains: domains.size,
    }),
    async close() {
      clearInterval(timer);
      broadcast.close();
    },
  };
}
