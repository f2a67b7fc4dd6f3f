import { HydrationBoundary } from "@tanstack/react-query";
import type { Metadata } from "next";
import { JobsView } from "#components/jobs/jobs-view.tsx";
import { prefetch } from "../../engine-access.ts";

export const metadata: Metadata = { title: "Jobs" };

export default async function JobsPage() {
  const { state } = await prefetch((queries, cache) => cache.fetchInfiniteQuery(queries.jobs()));
  return (
    <HydrationBoundary state={state}>
      <JobsView />
    </HydrationBoundary>
  );
}
