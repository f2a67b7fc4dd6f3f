import type { Metadata } from "next";
import type { SearchParams } from "nuqs/server";
import { toFleetFilter } from "#client/queries.ts";
import { loadFleetState } from "#client/url-state.ts";
import { FleetView } from "#components/fleet/fleet-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../engine-access.ts";

export const metadata: Metadata = { title: "VMs" };

export default async function FleetPage({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const fleet = await loadFleetState(searchParams);
  const filter = toFleetFilter(fleet);
  const { state } = await prefetch(async (queries, cache) => {
    const [list] = await Promise.all([
      cache.fetchInfiniteQuery(queries.fleet(filter, fleet.cursor)),
      cache.prefetchQuery(queries.hosts()),
    ]);
    const first = list.pages[0];
    if (first) {
      cache.setQueryData(queries.fleetCounts(filter).queryKey, { counts: first.counts, total: first.total });
    }
  });
  return (
    <Hydrated state={state}>
      <FleetView />
    </Hydrated>
  );
}
