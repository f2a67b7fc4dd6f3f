/** The host driver on real libvirt. */
import { execFile } from "node:child_process";
import type { ObserveError } from "#chain/model.ts";
import type { HostInfo } from "#contract/agent.ts";
import { checkRepositories } from "../backups/repositories.ts";
import type { DomainItem, HostDriver, HostState, ObserveRequest } from "../driver.ts";
import { toObserveError } from "../failure.ts";
import { makeCheckpointOperations } from "../operations/checkpoint-operations.ts";
import { mapConcurrent } from "../operations/map-concurrent.ts";
import { toItem } from "../operations/observation.ts";
import { BackupJobs } from "./backup-jobs.ts";
import { makeBackupOperations } from "./backup-operations.ts";
import { BackupWatch } from "./backup-watch.ts";
import { CallPool, SLOW_AFTER_MS } from "./call-pool.ts";
import { EventSource } from "./event-source.ts";
import { readExtents } from "./extents.ts";
import { observeDomain } from "./observe.ts";
import { PullJobs } from "./pull-jobs.ts";
import { makeLibvirtSteps } from "./steps.ts";
import { sweepLeftovers } from "./sweep.ts";

const DOMAINS_AT_ONCE = 4;
const HOST_DEADLINE_MS = 3_000;
const TOOLS = ["qemu-img", "qemu-nbd", "nbdinfo"] as const;

type Tools = Record<(typeof TOOLS)[number], boolean>;

async function findTools(): Promise<Tools> {
  const has = (tool: string): Promise<boolean> =>
    new Promise((resolve) => {
      execFile(tool, ["--version"], { timeout: 5_000 }, (error) => resolve(error?.code !== "ENOENT"));
    });
  const [img, nbd, info] = await Promise.all(TOOLS.map(has));
  return { "qemu-img": img ?? false, "qemu-nbd": nbd ?? false, nbdinfo: info ?? false };
}

function switchedOff(qmp: boolean, tools: Tools): HostInfo["switchedOff"] {
  const list: HostInfo["switchedOff"] = [];
  if (!qmp) {
    list.push({
      what: "bitmaps of running VMs",
      why: "qmp is set to forbid here: a query would mark the domain as tainted (custom-monitor)",
    });
  }
  if (!tools["qemu-img"]) list.push({ what: "bitmaps of stopped VMs", why: "qemu-img is not installed" });
  if (!tools["qemu-nbd"] || !tools.nbdinfo) {
    list.push({ what: "dirty extents", why: "qemu-nbd or nbdinfo is not installed" });
  }
  return list;
}

/** `uri`: libvirt's, from the agent's own configuration only. */
export type LibvirtOptions = { uri: string; qmp: boolean; repositories: readonly string[] };

export function openLibvirtDriver({ uri, qmp, repositories }: LibvirtOptions): HostDriver {
  const pool = new CallPool(uri);
  const watch = new BackupWatch({ pool, uri, repositories });
  const backups = new BackupJobs({ pool, watch, repositories, qmp });
  const events = new EventSource(uri, {
    onConnected() {
      pool.reset();
      watch.connected();
      void sweepLeftovers(pool).catch(() => undefined);
    },
    onDisconnected: () => watch.disconnected(),
    onJobEnded: (vmId, ended) => watch.jobEnded(vmId, ended),
  });
  const pulls = new PullJobs(pool, uri);
  void pulls.reapLeftovers().catch(() => undefined);
  const tools = findTools();
  let versions: { libvirt: string; qemu: string | null } | null = null;
  let failedSince: { since: string; error: ObserveError } | null = null;

  /** The event child knows when a connection ends; a daemon that hangs shows first in a call. */
  async function connection(): Promise<HostInfo["connection"]> {
    try {
      versions = await pool.call("versions", {}, { deadlineMs: HOST_DEADLINE_MS });
      failedSince = null;
      return { state: "connected", since: events.state.since, error: null };
    } catch (thrown) {
      const error = toObserveError(thrown);
      failedSince = { since: failedSince?.since ?? new Date().toISOString(), error };
      const since = events.state.state === "disconnected" ? events.state.since : failedSince.since;
      return { state: "disconnected", since, error };
    }
  }

  async function observeOne(vmId: string, known: string | undefined): Promise<DomainItem> {
    try {
      const observation = await observeDomain(pool, vmId, qmp);
      if (observation === null) return { type: "absent", vmId, at: new Date().toISOString() };
      return toItem(observation, known);
    } catch (thrown) {
      return { type: "failed", vmId, at: new Date().toISOString(), error: toObserveError(thrown) };
    }
  }

  return {
    ...makeCheckpointOperations(makeLibvirtSteps(pool, qmp)),
    ...makeBackupOperations({ pool, jobs: backups, uri, repositories, qmp }),
    async host(): Promise<HostState> {
      const [state, present] = await Promise.all([connection(), tools]);
      const { backups: canBackUp, switchedOff: without } = await checkRepositories(repositories, present["qemu-img"]);
      const extents = present["qemu-nbd"] && present.nbdinfo;
      return {
        kind: "libvirt",
        libvirtVersion: versions?.libvirt ?? null,
        qemuVersion: versions?.qemu ?? null,
        connection: state,
        capabilities: {
          qmp,
          coldImages: present["qemu-img"],
          coldExtents: extents,
          liveExtents: present.nbdinfo,
          backups: canBackUp,
        },
        switchedOff: [...switchedOff(qmp, present), ...without],
      };
    },
    async listDomains() {
      return await pool.call("list", {});
    },
    async observe({ vmIds, known, signal }: ObserveRequest) {
      const ids = vmIds ?? (await pool.call("ids", {}));
      const limits = { atOnce: DOMAINS_AT_ONCE, slowAfterMs: SLOW_AFTER_MS };
      return mapConcurrent(new Set(ids), limits, signal, (vmId) => observeOne(vmId, known?.[vmId]));
    },
    extents: (request) => readExtents({ pool, pulls, qmp }, request),
    events: (signal) => events.subscribe(signal),
    gauges: () => ({
      libvirt_connected: events.state.state === "connected" ? 1 : 0,
      call_children: pool.children,
      call_children_lost_total: pool.lostChildren,
      hung_domains: pool.openCircuits,
      event_readers: events.readers,
    }),
    async close() {
      events.close();
      pulls.close();
      watch.close();
      pool.close();
    },
  };
}
