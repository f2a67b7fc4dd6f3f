/** What the agent needs of a host. Two implementations: libvirt, and a simulated one that passes the same tests. */
import type { DomainSummary, HostEvent, HostInfo, ObserveItem } from "#contract/agent.ts";
import type {
  BeginBackupInput,
  CurrentBackup,
  DeleteBitmapsInput,
  DeleteBitmapsResult,
  DeleteCheckpointsInput,
  DeleteCheckpointsResult,
  DiscardFilesInput,
  DiscardFilesResult,
  RedefineInput,
  RedefineResult,
  VerifyBackupInput,
  VerifyItem,
} from "#contract/agent-operations.ts";
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

/**
 * What changes a host. The router holds the domain's lock around each of them, so a driver sees one at a time for a
 * domain. All throw HostFailure and ProblemError: `not_found`, `conflict` (another run than `expect`), `vm_busy`.
 */
export type CheckpointOperations = {
  redefine(input: RedefineInput): Promise<RedefineResult>;
  deleteCheckpoints(input: DeleteCheckpointsInput): Promise<DeleteCheckpointsResult>;
  deleteBitmaps(input: DeleteBitmapsInput): Promise<DeleteBitmapsResult>;
};
export type BackupOperations = {
  beginBackup(input: BeginBackupInput): Promise<CurrentBackup>;
  currentBackup(input: { vmId: string }): Promise<CurrentBackup>;
  abortBackup(input: { vmId: string }): Promise<CurrentBackup>;
  discardFiles(input: DiscardFilesInput): Promise<DiscardFilesResult>;
  verifyBackup(input: VerifyBackupInput, signal: AbortSignal): Promise<AsyncGenerator<VerifyItem>>;
};

export type HostDriver = CheckpointOperations &
  BackupOperations & {
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
