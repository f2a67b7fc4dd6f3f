"use client";
import { CircleCheck, ClockAlert, Shuffle } from "lucide-react";
import Link from "next/link";
import { Notice } from "#components/patterns/state-panel.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import type { PlanView } from "#contract/engine.ts";

type Props = { plan: PlanView; state: PlanView["state"]; isPlanning: boolean; onAgain: () => void };

/** Why this plan cannot be applied any more, and what to do instead. Nothing while it is ready. */
export function PlanStateNotice({ plan, state, isPlanning, onAgain }: Props) {
  const again = (
    <Button look="primary" size="sm" disabled={isPlanning} onClick={onAgain}>
      {isPlanning ? "Planning…" : "Plan again"}
    </Button>
  );
  if (state === "ready") return null;
  if (state === "applied") {
    return (
      <Notice
        icon={<CircleCheck size={16} aria-hidden />}
        action={
          plan.jobId && (
            <Link href={`/jobs/${plan.jobId}`} className={buttonLook({ size: "sm", look: "primary" })}>
              Open the job
            </Link>
          )
        }
      >
        <p className="font-medium">This plan was applied.</p>
        <p className="text-ink-2">A plan runs at most once. It stays readable as it was.</p>
      </Notice>
    );
  }
  if (state === "expired") {
    return (
      <Notice icon={<ClockAlert size={16} aria-hidden />} action={again}>
        <p className="font-medium">This plan has expired.</p>
        <p className="text-ink-2">Nothing was done. Plan again to see what would happen now.</p>
      </Notice>
    );
  }
  return (
    <Notice icon={<Shuffle size={16} aria-hidden />} action={again}>
      <p className="font-medium">
        What this plan stands on has changed, so it can no longer be applied. Nothing was done.
      </p>
      {plan.changes.length > 0 && (
        <table className="mt-1.5 w-full text-left">
          <caption className="sr-only">What has changed</caption>
          <thead className="text-xs text-ink-3">
            <tr>
              <th scope="col" className="pr-3 font-medium">
                What
              </th>
              <th scope="col" className="pr-3 font-medium">
                When planned
              </th>
              <th scope="col" className="font-medium">
                Now
              </th>
            </tr>
          </thead>
          <tbody>
            {plan.changes.map(({ what, was, is }) => (
              <tr key={what} className="align-top">
                <th scope="row" className="py-0.5 pr-3 font-medium first-letter:uppercase">
                  {what}
                </th>
                <td className="py-0.5 pr-3 wrap-anywhere text-ink-2">{was}</td>
                <td className="py-0.5 wrap-anywhere">{is}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Notice>
  );
}
