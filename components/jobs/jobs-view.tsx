"use client";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import {
  CircleCheck,
  type CircleDashed,
  CircleSlash,
  CircleX,
  Hourglass,
  ListChecks,
  LoaderCircle,
  Unplug,
} from "lucide-react";
import Link from "next/link";
import { useApi } from "#client/api.ts";
import { formatAge } from "#client/format.ts";
import { useLiveEvent } from "#client/live.tsx";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import type { Tone } from "#client/words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { type Column, ListRows } from "#components/patterns/list-rows.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { PageHead } from "#components/patterns/page-head.tsx";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import { cx } from "#components/ui/cx.ts";

const STATES = {
  queued: { word: "Queued", tone: "mute", Shape: Hourglass },
  running: { word: "Running", tone: "info", Shape: LoaderCircle },
  succeeded: { word: "Succeeded", tone: "ok", Shape: CircleCheck },
  failed: { word: "Failed", tone: "bad", Shape: CircleX },
  cancelled: { word: "Cancelled", tone: "mute", Shape: CircleSlash },
  lost: { word: "Lost contact", tone: "warn", Shape: Unplug },
} as const satisfies Record<string, { word: string; tone: Tone; Shape: typeof CircleDashed }>;

type Job = {
  id: string;
  vmId: string;
  state: keyof typeof STATES;
  startedAt: string | null;
  endedAt: string | null;
};

const COLUMNS: readonly Column<Job>[] = [
  {
    title: "State",
    cell: (job) => {
      const { word, tone, Shape } = STATES[job.state];
      return (
        <span className={cx("inline-flex items-center gap-1.5 font-medium", TONE_TEXT[tone])}>
          <Shape size={15} aria-hidden className={job.state === "running" ? "animate-turn" : undefined} /> {word}
        </span>
      );
    },
  },
  {
    title: "VM",
    cell: (job) => (
      <Link href={`/vms/${job.vmId}`} className="font-mono text-xs underline underline-offset-2">
        {job.vmId}
      </Link>
    ),
  },
  { title: "Started", cell: (job) => (job.startedAt ? <Moment at={job.startedAt} /> : "not yet") },
  {
    title: "Took",
    cell: (job) =>
      job.startedAt && job.endedAt ? formatAge(Date.parse(job.endedAt) - Date.parse(job.startedAt)) : "–",
  },
  { title: "Job", cell: (job) => <span className="font-mono text-xs text-ink-3">{job.id}</span> },
];

/** Jobs, newest first. */
export function JobsView() {
  const queryClient = useQueryClient();
  const jobs = useInfiniteQuery(engineQueries(useApi()).jobs());
  useLiveEvent((event) => {
    if (event.type === "job") void queryClient.invalidateQueries({ queryKey: ["jobs"], predicate: hasAnswer });
  });
  return (
    <div className="mx-auto max-w-6xl px-3 py-4 sm:px-4">
      <PageHead title="Jobs" />
      <ListRows
        query={jobs}
        label="Jobs"
        columns={COLUMNS}
        keyOf={(job) => job.id}
        empty={
          <EmptyPanel icon={<ListChecks size={28} strokeWidth={1.5} aria-hidden />} title="No job has run yet">
            A job appears here when a plan is applied or a backup starts.
          </EmptyPanel>
        }
      />
    </div>
  );
}
