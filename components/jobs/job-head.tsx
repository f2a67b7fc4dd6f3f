"use client";
import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { canCancelJob } from "#chain/can.ts";
import { useApi } from "#client/api.ts";
import { useCommands } from "#client/commands.tsx";
import { formatAge } from "#client/format.ts";
import { isOver } from "#client/job-states.ts";
import { useNow } from "#client/now.ts";
import { engineQueries } from "#client/queries.ts";
import { whyNot } from "#client/situation.ts";
import { CopyPageText } from "#components/patterns/copy-text.tsx";
import { JobState } from "#components/patterns/job-state.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import { loadLater } from "#components/ui/load-later.tsx";
import type { JobView } from "#contract/engine-jobs.ts";

const CancelDialog = loadLater(
  () => import("./cancel-dialog.tsx").then((m) => m.CancelDialog),
  () => null,
);

/** What the job does, how it stands, who started it and why; its plan; and the way to stop it. */
export function JobHead({ job, title }: { job: JobView; title: string }) {
  const queries = engineQueries(useApi());
  const me = useQuery(queries.me());
  const now = useNow();
  const [isAsking, setAsking] = useState(false);
  const over = isOver(job.state);
  const plan = useQuery({ ...queries.plan(job.planId ?? ""), enabled: job.planId !== null && !over });
  const noCancel = whyNot(
    canCancelJob({
      role: me.data?.role ?? "viewer",
      // The stricter one until the plan has said which.
      needs: plan.data?.role ?? "operator",
      isOver: over,
      isCancelling: job.cancelRequestedAt !== null,
    }),
  );
  useCommands([
    // Without a key: it stops something.
    { id: "job-cancel", title: "Cancel this job…", group: "Job", unavailable: noCancel, run: () => setAsking(true) },
  ]);
  const end = job.endedAt ? Date.parse(job.endedAt) : now;
  return (
    <div className="space-y-1.5">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <h1 className="min-w-0 text-xl font-semibold tracking-tight break-words">{title}</h1>
        <JobState job={job} />
        <div className="ml-auto flex flex-wrap gap-2">
          {job.planId && (
            <Link href={`/plans/${job.planId}`} className={buttonLook()}>
              Plan
            </Link>
          )}
          <CopyPageText what="the job" make={(texts, link) => texts.jobAsText(job, link)} />
          <a href={`/api/v1/jobs/${job.id}/bundle`} download={`driftline-job-${job.id}.json`} className={buttonLook()}>
            <Download size={14} aria-hidden /> Support bundle
          </a>
          {!over && (
            <Button unavailable={noCancel} onClick={() => setAsking(true)}>
              Cancel job…
            </Button>
          )}
        </div>
      </div>
      <p className="text-ink-2">
        {job.startedAt ? (
          <>
            started <Moment at={job.startedAt} />
          </>
        ) : (
          <>
            waiting since <Moment at={job.createdAt} />
          </>
        )}{" "}
        by {job.actor === "driftline" ? "Driftline’s own policy" : job.actor}
        {job.startedAt && end !== null && (
          <>
            , {over ? "took" : "for"} {formatAge(Math.max(0, end - Date.parse(job.startedAt)))}
          </>
        )}
        {job.reason && <> · reason: “{job.reason}”</>}
      </p>
      {isAsking && <CancelDialog job={job} onClose={() => setAsking(false)} />}
    </div>
  );
}
