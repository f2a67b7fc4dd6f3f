import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { HostsView } from "#components/hosts/hosts-view.tsx";
import { prefetch } from "../../engine-access.ts";

export const metadata: Metadata = { title: "Hosts" };

export default async function HostsPage() {
  const { state } = await prefetch((queries, cache) =>
    Promise.all([cache.fetchQuery(queries.hosts()), cache.prefetchQuery(queries.me())]),
  );
  return (
    <HydrationBoundary state={state}>
      <HostsView />
    </HydrationBoundary>
  );
}
