"use client";
import { CircleCheck, ClockAlert, Shuffle } from "lucide-react";
import Link from "next/link";
import { Notice } from "#components/patterns/state-panel.tsx";
import { Button, buttonLook } from "#components/ui/button.tsx";
import type { PlanView } from "#contract/engine.ts";
import { PlanChanges } from "./plan-changes.tsx";

type Props = {
  plan: PlanView;
  state: PlanView["state"];
  isPlanning: boolean;
  /** Why it cannot be planned again, or null. */
  noPlan: string | null;
  onAgain: () => void;
};

/** Why this plan cannot be applied any more, and what to do instead. Nothing while it is ready. */
export function PlanStateNotice({ plan, state, isPlanning, noPlan, onAgain }: Props) {
  const again = (
    <Button look="primary" size="sm" unavailable={noPlan} disabled={isPlanning} onClick={onAgain}>
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
      <PlanChanges changes={plan.changes} />
    </Notice>
  );
}
