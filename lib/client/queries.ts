import { infiniteQueryOptions, type Query, queryOptions } from "@tanstack/react-query";
import type { VmQuery } from "#contract/engine.ts";
import type { EngineApi } from "./api.ts";
import type { FleetState } from "./url-state.ts";

/** Rows asked for at once. The list stays virtual; this only bounds one answer. */
const FLEET_PAGE = 100;
const LIST_PAGE = 50;

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
    audit: (filter: { actor: string; subject: string }) =>
      infiniteQueryOptions({
        queryKey: ["audit", filter],
        queryFn: ({ pageParam, signal }) =>
          api.audit.list(
            {
              limit: LIST_PAGE,
              ...(filter.actor ? { actor: filter.actor } : {}),
              ...(filter.subject ? { subject: filter.subject } : {}),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
            { signal },
          ),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.nextCursor,
      }),
    jobs: () =>
      infiniteQueryOptions({
        queryKey: ["jobs"],
        queryFn: ({ pageParam, signal }) =>
          api.jobs.list({ limit: LIST_PAGE, ...(pageParam ? { cursor: pageParam } : {}) }, { signal }),
        initialPageParam: null as string | null,
        getNextPageParam: (last) => last.nextCursor,
      }),
  };
}
/**
 * For what an event makes stale: only queries that have an answer are read again. One that failed shows its error until
 * somebody asks again, instead of flickering between the error and a skeleton with every event.
 */
export const hasAnswer = (query: Query): boolean => query.state.data !== undefined;

export type EngineQueries = ReturnType<typeof engineQueries>;
