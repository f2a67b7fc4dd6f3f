import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { VM_ID } from "#chain/limits.ts";
import { JobView } from "#components/jobs/job-view.tsx";
import { Hydrated } from "#components/shell/hydrated.tsx";
import { prefetch } from "../../../engine-access.ts";

export const metadata: Metadata = { title: "Job" };

export default async function JobPage({ params }: { params: Promise<{ jobId: string }> }) {
  const { jobId } = await params;
  // Ids of jobs and of VMs have one form.
  if (!VM_ID.test(jobId)) notFound();
  const { state } = await prefetch((queries, cache) =>
    Promise.all([cache.fetchQuery(queries.job(jobId)), cache.prefetchQuery(queries.me())]),
  );
  return (
    <Hydrated state={state}>
      <JobView jobId={jobId} />
    </Hydrated>
  );
}
