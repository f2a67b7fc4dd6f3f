import { infiniteQueryOptions, type Query, queryOptions } from "@tanstack/react-query";
import { LIMITS } from "#chain/limits.ts";
import type { JobRow } from "#contract/engine-jobs.ts";
import type { VmQuery } from "#contract/engine-vms.ts";
import type { EngineApi } from "./api.ts";
import { isOver } from "./job-states.ts";
import type { AuditState, FleetState } from "./url-state.ts";

/** Rows asked for at once. The list stays virtual; this only bounds one answer. */
const FLEET_PAGE = 100;
const LIST_PAGE = 50;
const JOB_LOOK_MS = 2_000;

export type FleetFilter = Omit<VmQuery, "cursor" | "limit">;

/** The server's query for a state of the address; empty fields fall out so that equal states share a key. */
export function toFleetFilter(state: FleetState): FleetFilter {
  return {
    sort: state.sort,
    ...(state.q ? { q: state.q } : {}),
    ...(state.host ? { host: state.host } : {}),
    ...(state.agreement ? { agreement: state.agreement } : {}),
    ...(state.nextBackup ? { nextBackup: state.nextBackup } : {}),
    ...(state.freshness ? { freshness: state.freshness } : {}),
    ...(state.kind ? { kind: state.kind } : {}),
  };
}

/** The server's audit query for a state of the address. */
function toAuditFilter(state: AuditState) {
  const time = (text: string) => (Number.isNaN(Date.parse(text)) ? null : new Date(text).toISOString());
  const [from, to] = [time(state.from), time(state.to)];
  return {
    ...(state.actor ? { actor: state.actor } : {}),
    ...(state.subject ? { subject: state.subject } : {}),
    ...(state.action ? { action: state.action } : {}),
    ...(state.outcome ? { outcome: state.outcome } : {}),
    ...(from ? { from } : {}),
    ...(to ? { to } : {}),
  };
}

/**
 * One place for every key and call. The server's prefetch and the hooks both use these,
 * each with its own client of the same shape.
 */
export function engineQueries(api: EngineApi) {
  return {
    me: () => queryOptions({ queryKey: ["me"], queryFn: ({ signal }) => api.me({}, { signal }), staleTime: 60_000 }),
    fleet: (filter: FleetFilter, start: string | null) =>
      infiniteQueryOptions({
        queryKey: ["vms", "list", filter, start],
        queryFn: ({ pageParam, signal }) =>
          api.vms.list({ ...filter, limit: FLEET_PAGE, ...(pageParam ? { cursor: pageParam } : {}) }, { signal }),
        initialPageParam: start,
        getNextPageParam: (last) => last.nextCursor,
        staleTime: 30_000,
      }),
    /** Counts move with every event; the rows are patched one by one instead of being read again. */
    fleetCounts: (filter: FleetFilter) =>
      queryOptions({
        queryKey: ["vms", "counts", filter],
        queryFn: async ({ signal }) => {
          const { counts, total } = await api.vms.list({ ...filter, limit: 1 }, { signal });
          return { counts, total };
        },
        staleTime: 30_000,
      }),
    vm: (vmId: string) =>
      queryOptions({
        queryKey: ["vm", vmId, "summary"],
        queryFn: ({ signal }) => api.vms.get({ vmId }, { signal }),
        staleTime: 15_000,
      }),
    chain: (vmId: string) =>
      queryOptions({
        queryKey: ["vm", vmId, "chain"],
        queryFn: ({ signal }) => api.vms.chain({ vmId }, { signal }),
        staleTime: 15_000,
      }),
    backups: (vmId: string) =>
      queryOptions({
        queryKey: ["vm", vmId, "backups"],
        queryFn: ({ signal }) => api.backups.list({ vmId, limit: 200 }, { signal }),
        staleTime: 30_000,
      }),
    /** Reading extents opens the image on the host: only when asked for, and kept. */
    extents: (vmId: string, target: string, name: string, buckets: number) =>
      queryOptions({
        queryKey: ["vm", vmId, "extents", target, name, buckets],
        queryFn: ({ signal }) => api.vms.extents({ vmId, target, name, buckets }, { signal }),
        staleTime: Number.POSITIVE_INFINITY,
        retry: false,
      }),
    hosts: () =>
      queryOptions({
        queryKey: ["hosts"],
        queryFn: ({ signal }) => api.hosts.list({ limit: 200 }, { signal }),
        staleTime: 15_000,
      }),
    users: () =>
      infiniteQueryOptions({
        queryKey: ["users"],
        queryFn: ({ pageParam, signal }) =>
          api.users.list({ limit: LIST_PAGE, ...(pageParam ? { cursor: pageParam } : {}) }, { signal }),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.nextCursor,
      }),
    userSessions: (userId: string) =>
      queryOptions({
        queryKey: ["users", userId, "sessions"],
        queryFn: ({ signal }) => api.users.sessions({ userId }, { signal }),
      }),
    apiKeys: () =>
      infiniteQueryOptions({
        queryKey: ["api-keys"],
        queryFn: ({ pageParam, signal }) =>
          api.apiKeys.list({ limit: LIST_PAGE, ...(pageParam ? { cursor: pageParam } : {}) }, { signal }),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.nextCursor,
      }),
    settings: () => queryOptions({ queryKey: ["settings"], queryFn: ({ signal }) => api.settings.get({}, { signal }) }),
    account: () => queryOptions({ queryKey: ["account"], queryFn: ({ signal }) => api.account.get({}, { signal }) }),
    ownSessions: () =>
      queryOptions({
        queryKey: ["account", "sessions"],
        queryFn: ({ signal }) => api.account.sessions({}, { signal }),
      }),
    audit: (filter: AuditState) =>
      infiniteQueryOptions({
        queryKey: ["audit", filter],
        queryFn: ({ pageParam, signal }) =>
          api.audit.list(
            { limit: LIST_PAGE, ...toAuditFilter(filter), ...(pageParam ? { cursor: pageParam } : {}) },
            { signal },
          ),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.nextCursor,
      }),
    jobs: (filter: { vm: string | null; state: JobRow["state"] | null }) =>
      infiniteQueryOptions({
        queryKey: ["jobs", filter],
        queryFn: ({ pageParam, signal }) =>
          api.jobs.list(
            {
              limit: LIST_PAGE,
              ...(filter.vm ? { vmId: filter.vm } : {}),
              ...(filter.state ? { state: filter.state } : {}),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
            { signal },
          ),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.nextCursor,
        staleTime: 10_000,
      }),
    /** While a job runs its bytes move without an event for each: looked at again and again, in a visible tab only. */
    job: (jobId: string) =>
      queryOptions({
        queryKey: ["job", jobId],
        queryFn: ({ signal }) => api.jobs.get({ jobId }, { signal }),
        staleTime: 5_000,
        refetchInterval: ({ state }) => (state.data && !isOver(state.data.state) ? JOB_LOOK_MS : false),
      }),
    plan: (planId: string) =>
      queryOptions({
        queryKey: ["plan", planId],
        queryFn: ({ signal }) => api.plans.get({ planId }, { signal }),
        staleTime: 10_000,
      }),
    planGroup: (groupId: string) =>
      queryOptions({
        queryKey: ["plan-group", groupId],
        queryFn: ({ signal }) => api.planGroups.get({ groupId }, { signal }),
        staleTime: 10_000,
      }),
    /** All jobs that a plan over several VMs started. */
    groupJobs: (groupId: string) =>
      queryOptions({
        queryKey: ["group-jobs", groupId],
        queryFn: async ({ signal }) => {
          const jobs: JobRow[] = [];
          for (let cursor: string | null | undefined; cursor !== null; ) {
            const page = await api.jobs.list(
              { groupId, limit: LIMITS.pageSize, ...(cursor ? { cursor } : {}) },
              { signal },
            );
            jobs.push(...page.items);
            cursor = page.nextCursor;
          }
          return jobs;
        },
        staleTime: 2_000,
      }),
    backup: (vmId: string, backupId: string) =>
      queryOptions({
        queryKey: ["vm", vmId, "backup", backupId],
        queryFn: ({ signal }) => api.backups.get({ backupId }, { signal }),
        staleTime: 15_000,
      }),
    backupHistory: (vmId: string) =>
      infiniteQueryOptions({
        queryKey: ["vm", vmId, "backup-history"],
        queryFn: ({ pageParam, signal }) =>
          api.backups.list({ vmId, limit: LIST_PAGE, ...(pageParam ? { cursor: pageParam } : {}) }, { signal }),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.nextCursor,
        staleTime: 15_000,
      }),
  };
}
/**
 * For what an event makes stale: only queries that have an answer are read again. One that failed shows its error until
 * somebody asks again, instead of flickering between the error and a skeleton with every event.
 */
export const hasAnswer = (query: Query): boolean => query.state.data !== undefined;

export type EngineQueries = ReturnType<typeof engineQueries>;
