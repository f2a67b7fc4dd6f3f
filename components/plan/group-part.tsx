"use client";
import { CircleSlash } from "lucide-react";
import Link from "next/link";
import { JobState } from "#components/patterns/job-state.tsx";
import { Check } from "#components/ui/check.tsx";
import type { PlanGroup, PlanView } from "#contract/engine.ts";
import type { JobRow } from "#contract/engine-jobs.ts";
import { tickOf } from "./group-state.ts";
import { PlanChanges } from "./plan-changes.tsx";
import { PlanCounts } from "./plan-counts.tsx";
import { PlanStateMark, TierMark } from "./plan-head.tsx";

/** One VM of a plan over several: what would happen there, what is lost, or why it is left out. */
export function GroupPart(props: {
  part: PlanGroup["parts"][number];
  /** Why it did not start when the others did. */
  refusal: { code: string; reason: string } | null;
  job: JobRow | null;
  /** How its plan stands now; null: it has none. */
  state: PlanView["state"] | null;
  /** As `tickOf` names them. */
  ticked: ReadonlySet<string>;
  onTick: (tick: string, isOn: boolean) => void;
}) {
  const { part, refusal, job } = props;
  const { plan } = part;
  const isReady = props.state === "ready";
  return (
    <li data-part={part.vmName} className="px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <h2 className="font-semibold">
          <Link href={`/vms/${part.vmId}`} className="underline underline-offset-2">
            {part.vmName}
          </Link>
        </h2>
        {plan && <TierMark tier={plan.tier} />}
        {plan && props.state && !isReady && !plan.jobId && <PlanStateMark state={props.state} />}
        <span className="ml-auto flex flex-wrap items-center gap-x-4 gap-y-1">
          {job && <JobState job={job} />}
          {plan?.jobId && (
            <Link href={`/jobs/${plan.jobId}`} className="py-0.5 underline underline-offset-2">
              Job
            </Link>
          )}
          {plan && (
            <Link href={`/plans/${plan.id}`} className="py-0.5 text-ink-2 underline underline-offset-2">
              Every step
            </Link>
          )}
        </span>
      </div>
      {plan && (
        <div className="mt-1.5 space-y-1.5">
          <ul className="space-y-0.5">
            {plan.consequences.map((text) => (
              <li key={text} className="break-words">
                {text}
              </li>
            ))}
          </ul>
          <PlanCounts counts={plan.counts} />
          {isReady &&
            plan.losses.map(({ id, text }) => (
              <Check
                key={id}
                className="rounded-md bg-warn-bg px-2.5"
                checked={props.ticked.has(tickOf(part.vmId, id))}
                onChange={(event) => props.onTick(tickOf(part.vmId, id), event.target.checked)}
              >
                <span className="font-medium">Lost for good:</span> {text}
              </Check>
            ))}
          <PlanChanges changes={plan.changes} />
        </div>
      )}
      {(refusal ? [refusal] : part.refusals).map(({ code, reason }) => (
        <p key={`${code}${reason}`} className="mt-1.5 flex gap-2 text-ink-2">
          <CircleSlash size={15} aria-hidden className="mt-0.5 shrink-0" />
          <span>
            <span className="font-medium text-ink">{refusal ? "Not started:" : "Left out:"}</span> {reason}
          </span>
        </p>
      ))}
    </li>
  );
}
