import type { Metadata } from "next";
import type { SearchParams } from "nuqs/server";
import { loadJobsState } from "#client/url-state.ts";
import { JobsView } from "#components/jobs/jobs-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../engine-access.ts";

export const metadata: Metadata = { title: "Jobs" };

export default async function JobsPage({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const filter = await loadJobsState(searchParams);
  const { state } = await prefetch((queries, cache) => cache.fetchInfiniteQuery(queries.jobs(filter)));
  return (
    <Hydrated state={state}>
      <JobsView />
    </Hydrated>
  );
}
