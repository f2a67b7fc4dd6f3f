"use client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Unplug } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { useAnnounce } from "#client/announce.tsx";
import { useApi } from "#client/api.ts";
import { workTitle } from "#client/intents.ts";
import { useIsOld } from "#client/is-old.ts";
import { isOver } from "#client/job-states.ts";
import { useLiveEvent } from "#client/live.tsx";
import { engineQueries, hasAnswer } from "#client/queries.ts";
import { JOB_STATE_WORDS } from "#client/work-words.ts";
import { Moment } from "#components/patterns/moment.tsx";
import { ErrorPanel, Notice, OldNotice } from "#components/patterns/state-panel.tsx";
import { Breadcrumb } from "#components/ui/breadcrumb.tsx";
import { cx } from "#components/ui/cx.ts";
import type { JobView as Job } from "#contract/engine-jobs.ts";
import { JobDisks } from "./job-disks.tsx";
import { JobFailure } from "./job-failure.tsx";
import { JobHead } from "./job-head.tsx";
import { JobProgress } from "./job-progress.tsx";
import { JobProof } from "./job-proof.tsx";
import { JobSkeleton } from "./job-skeleton.tsx";
import { JobSteps } from "./job-steps.tsx";

/** One job: its steps as they happen, how far it is, and what was observed afterwards. */
export function JobView({ jobId }: { jobId: string }) {
  const queryClient = useQueryClient();
  const job = useQuery(engineQueries(useApi()).job(jobId));
  const isOld = useIsOld(job);
  useLiveEvent((event) => {
    if (event.type === "job" && event.jobId === jobId)
      void queryClient.invalidateQueries({ queryKey: ["job", jobId], predicate: hasAnswer });
  });
  if (job.isPending) return <JobSkeleton />;
  if (!job.data) {
    return (
      <div className="px-4">
        <ErrorPanel what="This job cannot be shown" error={job.error} onRetry={() => job.refetch()} />
      </div>
    );
  }
  return <JobScreen job={job.data} old={isOld && <OldNotice error={job.error} onRetry={job.refetch} />} />;
}

function JobScreen({ job, old }: { job: Job; old: ReactNode }) {
  const announce = useAnnounce();
  const said = useRef(job.state);
  const title = workTitle(job.kind, job.vmName);
  useEffect(() => {
    document.title = `${title} · Job · Driftline`;
  }, [title]);
  useEffect(() => {
    if (said.current !== job.state) announce(`${JOB_STATE_WORDS[job.state].label}. ${JOB_STATE_WORDS[job.state].hint}`);
    said.current = job.state;
  }, [job.state, announce]);
  const isLost = job.state === "lost" || (!isOver(job.state) && job.lostContactSince !== null);
  return (
    <div className="mx-auto max-w-6xl space-y-4 px-3 py-3 sm:px-4">
      <div className="space-y-2">
        <Breadcrumb
          parts={[
            { href: "/jobs", text: "Jobs" },
            { href: `/vms/${job.vmId}`, text: job.vmName },
            ...(job.groupId ? [{ href: `/plans/group/${job.groupId}`, text: "Plan over several VMs" }] : []),
            { text: "Job" },
          ]}
        />
        <JobHead job={job} title={title} />
      </div>
      {old}
      {isLost && !isOver(job.state) && (
        <Notice icon={<Unplug size={16} aria-hidden />}>
          <p className="font-medium">
            Lost contact{" "}
            {job.lostContactSince && (
              <>
                since <Moment at={job.lostContactSince} />
              </>
            )}
          </p>
          <p className="text-ink-2">
            The host does not answer, so what happens there is not known; a call that was under way may still go on.
            When it answers again, it is read first and the job goes on from what is really there.
          </p>
        </Notice>
      )}
      {isOver(job.state) && job.state !== "succeeded" && <JobFailure job={job} />}
      {(!isOver(job.state) || job.state === "lost") && <JobProgress job={job} isLost={isLost} />}
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <JobSteps job={job} isLost={isLost} />
        <div className={cx("min-w-0 space-y-4", isOver(job.state) && "max-lg:order-first")}>
          <JobProof job={job} />
          <JobDisks job={job} />
        </div>
      </div>
    </div>
  );
}
