/** What the agent needs of a host. Two implementations: libvirt, and a simulated one that passes the same tests. */
import type { DomainSummary, HostEvent, HostInfo, ObserveItem } from "#contract/agent.ts";
import type { Extents } from "#contract/common.ts";

/** What only the driver can say of `GET /v1/host`; the rest is the agent's own. */
export type HostState = Pick<
  HostInfo,
  "kind" | "libvirtVersion" | "qemuVersion" | "connection" | "capabilities" | "switchedOff"
>;

export type ObserveRequest = {
  /** Absent: all domains that the host knows. */
  vmIds?: string[] | undefined;
  /** `digest` or `digest:countsDigest` that the caller has, by VM id. */
  known?: Record<string, string> | undefined;
  signal?: AbortSignal | undefined;
};
export type DomainItem = Exclude<ObserveItem, { type: "done" }>;

export type ExtentsRequest = { vmId: string; target: string; name: string; buckets: number };

export type HostDriver = {
  /** Never throws: a host that does not answer is a state. */
  host(): Promise<HostState>;
  /** @throws HostFailure */
  listDomains(): Promise<DomainSummary[]>;
  /**
   * One item a domain as it is ready, in no order. A domain that cannot be read is an item too.
   * @throws HostFailure when the list of domains itself cannot be had
   */
  observe(request: ObserveRequest): Promise<AsyncGenerator<DomainItem>>;
  /** @throws HostFailure, ProblemError */
  extents(request: ExtentsRequest): Promise<Extents>;
  /** Begins with the state of the connection. */
  events(signal: AbortSignal | undefined): AsyncGenerator<HostEvent>;
  /** Numbers for the metrics, by name. */
  gauges(): Record<string, number>;
  close(): Promise<void>;
};
