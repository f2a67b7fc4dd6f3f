"use client";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { FilterX, ListChecks } from "lucide-react";
import Link from "next/link";
import { useQueryStates } from "nuqs";
import { useApi } from "#client/api.ts";
import { formatAge, formatCount } from "#client/format.ts";
import { intentLabel } from "#client/intents.ts";
import { useLiveEvent } from "#client/live.tsx";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import { jobsParsers } from "#client/url-state.ts";
import { JobState } from "#components/patterns/job-state.tsx";
import { type Column, ListRows } from "#components/patterns/list-rows.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { PageHead } from "#components/patterns/page-head.tsx";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import type { JobRow } from "#contract/engine-jobs.ts";
import { JobsFilters } from "./jobs-filters.tsx";

const COLUMNS: readonly Column<JobRow>[] = [
  { title: "State", cell: (job) => <JobState job={job} /> },
  {
    title: "Job",
    cell: (job) => (
      <Link href={`/jobs/${job.id}`} className="font-medium underline underline-offset-2">
        {intentLabel(job.kind)}
      </Link>
    ),
  },
  {
    title: "VM",
    cell: (job) => (
      <Link href={`/vms/${job.vmId}`} className="break-words underline underline-offset-2">
        {job.vmName}
      </Link>
    ),
  },
  {
    title: "Steps",
    cell: (job) => (
      <span className="whitespace-nowrap text-ink-2">
        {job.stepsDone} of {job.stepsTotal}
        <span className="md:hidden"> steps</span>
      </span>
    ),
  },
  {
    title: "Started",
    cell: (job) => (
      <span className="text-ink-2">
        {job.startedAt ? <Moment at={job.startedAt} className="whitespace-nowrap" /> : "not yet"}
      </span>
    ),
  },
  {
    title: "Took",
    cell: (job) => (
      <span className="whitespace-nowrap text-ink-2">
        {job.startedAt && job.endedAt ? (
          <>
            <span className="md:hidden">took </span>
            {formatAge(Date.parse(job.endedAt) - Date.parse(job.startedAt))}
          </>
        ) : (
          <span className="max-md:hidden">–</span>
        )}
      </span>
    ),
  },
  {
    title: "Who and why",
    cell: (job) => (
      <>
        {job.actor === "driftline" ? "policy" : job.actor}
        {job.reason && <span className="block text-ink-2">“{job.reason}”</span>}
        {job.error && <span className="block text-bad">{job.error}</span>}
      </>
    ),
  },
];

/** Jobs, newest first. Filters stand in the address. */
export function JobsView() {
  const queryClient = useQueryClient();
  const [filter, setFilter] = useQueryStates(jobsParsers, { history: "replace" });
  const jobs = useInfiniteQuery(engineQueries(useApi()).jobs(filter));
  useLiveEvent((event) => {
    if (event.type === "job") void queryClient.invalidateQueries({ queryKey: ["jobs"], predicate: hasAnswer });
  });
  const isFiltered = filter.vm !== null || filter.state !== null;
  const first = jobs.data?.pages[0];
  return (
    <div className="mx-auto max-w-6xl px-3 py-4 sm:px-4">
      <PageHead title="Jobs" detail={first ? formatCount(first.total) : null} />
      <JobsFilters
        filter={filter}
        vmName={first?.items.find((job) => job.vmId === filter.vm)?.vmName ?? null}
        onChange={setFilter}
      />
      <ListRows
        query={jobs}
        label="Jobs"
        columns={COLUMNS}
        keyOf={(job) => job.id}
        empty={
          isFiltered ? (
            <EmptyPanel
              icon={<FilterX size={28} strokeWidth={1.5} aria-hidden />}
              title="No job matches"
              action={<Button onClick={() => setFilter(null)}>Clear filters</Button>}
            >
              There are jobs of other VMs or in other states, or none at all.
            </EmptyPanel>
          ) : (
            <EmptyPanel
              icon={<ListChecks size={28} strokeWidth={1.5} aria-hidden />}
              title="No job has run yet"
              action={
                <Link href="/vms" className={buttonLook()}>
                  Go to the fleet
                </Link>
              }
            >
              A job appears here when a plan is applied or a backup starts.
            </EmptyPanel>
          )
        }
      />
    </div>
  );
}
