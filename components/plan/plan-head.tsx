"use client";
import { CircleCheck, CircleDot, ClockAlert, Shuffle } from "lucide-react";
import { PLAN_STATE_WORDS, tierWord } from "#client/work-words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { CopyPageText } from "#components/patterns/copy-text.tsx";
import { Moment } from "#components/patterns/moment.tsx";
import { cx } from "#components/ui/cx.ts";
import type { PlanView } from "#contract/engine.ts";

const SHAPES: Record<PlanView["state"], typeof CircleDot> = {
  ready: CircleDot,
  applied: CircleCheck,
  expired: ClockAlert,
  "out-of-date": Shuffle,
};

export function PlanStateMark({ state }: { state: PlanView["state"] }) {
  const { label, hint, tone } = PLAN_STATE_WORDS[state];
  const Shape = SHAPES[state];
  return (
    <span
      data-plan-state={state}
      title={hint}
      className={cx("inline-flex items-center gap-1.5 font-medium whitespace-nowrap", TONE_TEXT[tone])}
    >
      <Shape size={15} aria-hidden className="shrink-0" /> {label}
    </span>
  );
}

/** How much a plan can lose, as its tier and in words. */
export function TierMark({ tier }: { tier: number }) {
  const { label, hint, tone } = tierWord(tier);
  return (
    <span title={hint} className={cx("inline-flex items-center gap-1.5 whitespace-nowrap", TONE_TEXT[tone])}>
      <span aria-hidden className="rounded-sm border border-current px-1 font-mono text-xs leading-4">
        T{tier}
      </span>
      {label}
    </span>
  );
}

/** What this plan is for, how it stands, who made it and how long it may be applied. */
export function PlanHead({ plan, state, title }: { plan: PlanView; state: PlanView["state"]; title: string }) {
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1.5">
      <h1 className="min-w-0 text-xl font-semibold tracking-tight break-words">{title}</h1>
      <PlanStateMark state={state} />
      <TierMark tier={plan.tier} />
      <span className="text-ink-2">
        made <Moment at={plan.createdAt} /> by {plan.createdBy}
      </span>
      {state === "ready" && (
        <span className="text-ink-2">
          expires <Moment at={plan.expiresAt} />
        </span>
      )}
      <span className="ml-auto">
        <CopyPageText what="the plan" make={(texts, link) => texts.planAsText(plan, state, link)} />
      </span>
    </div>
  );
}
