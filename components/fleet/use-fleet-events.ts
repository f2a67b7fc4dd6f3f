import { type InfiniteData, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useApi } from "#client/api.ts";
import { withReads } from "#client/fleet-rows.ts";
import { useLiveEvent } from "#client/live.tsx";
import { hasAnswer } from "#client/queries.ts";
import type { VmRow } from "#contract/engine-vms.ts";

type Page = { items: VmRow[] };
const GATHER_MS = 1500;
/** With more changes than this at once, reading the loaded pages again is cheaper than asking for each VM. */
const READ_ONE_BY_ONE = 12;

const rowOf = (read: PromiseSettledResult<VmRow> | undefined): VmRow | null =>
  read?.status === "fulfilled" ? read.value : null;

/**
 * Cost grows with what changed: an event makes its own row be read, if it is loaded, and the counts once per burst.
 * The order of the rows stays as it was read, so that nothing moves under the pointer.
 */
export function useFleetEvents(): void {
  const api = useApi();
  const queryClient = useQueryClient();
  const changed = useRef(new Set<string>());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const apply = async () => {
    timer.current = undefined;
    const ids = changed.current;
    changed.current = new Set();
    // Hidden by now: all is read again when somebody looks.
    if (document.visibilityState === "hidden") return;
    void queryClient.invalidateQueries({ queryKey: ["vms", "counts"], predicate: hasAnswer });
    const lists = queryClient.getQueriesData<InfiniteData<Page>>({ queryKey: ["vms", "list"], type: "active" });
    const loaded = new Set(lists.flatMap(([, data]) => data?.pages.flatMap((page) => page.items.map((row) => row.id))));
    const wanted = [...ids].filter((id) => loaded.has(id));
    const pages = Math.max(0, ...lists.map(([, data]) => data?.pages.length ?? 0));
    // One loaded page is one request, and a VM that is new to it may belong there.
    const mayHaveJoined = wanted.length < ids.size && pages <= 1;
    if (mayHaveJoined || wanted.length > Math.max(READ_ONE_BY_ONE, pages)) {
      void queryClient.invalidateQueries({ queryKey: ["vms", "list"], predicate: hasAnswer });
      return;
    }
    const fresh = await Promise.allSettled(wanted.map((vmId) => api.vms.get({ vmId })));
    const reads = new Map(wanted.map((vmId, n) => [vmId, rowOf(fresh[n])]));
    for (const { queryKey, state } of queryClient.getQueryCache().findAll({ queryKey: ["vms", "list"] })) {
      // Rows that were read now make neither the others newer nor a list that could not be read good again.
      if (state.status !== "success") continue;
      queryClient.setQueryData<InfiniteData<Page>>(
        queryKey,
        (data) =>
          data && { ...data, pages: data.pages.map((page) => ({ ...page, items: withReads(page.items, reads) })) },
        { updatedAt: state.dataUpdatedAt },
      );
    }
  };

  useLiveEvent((event) => {
    if (event.type === "host") void queryClient.invalidateQueries({ queryKey: ["hosts"], predicate: hasAnswer });
    if (event.type !== "vm" && event.type !== "job") return;
    changed.current.add(event.vmId);
    timer.current ??= setTimeout(() => void apply(), GATHER_MS);
  });
  useEffect(() => () => clearTimeout(timer.current), []);
}
