import type { Metadata } from "next";
import { HostsView } from "#components/hosts/hosts-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../engine-access.ts";

export const metadata: Metadata = { title: "Hosts" };

export default async function HostsPage() {
  const { state } = await prefetch((queries, cache) =>
    Promise.all([cache.fetchQuery(queries.hosts()), cache.prefetchQuery(queries.me())]),
  );
  return (
    <Hydrated state={state}>
      <HostsView />
    </Hydrated>
  );
}
