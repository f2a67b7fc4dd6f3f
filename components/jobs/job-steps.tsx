import { CircleCheck, CircleDashed, CircleQuestionMark, CircleX, LoaderCircle, SkipForward } from "lucide-react";
import { formatAge } from "#client/format.ts";
import { isOver } from "#client/job-states.ts";
import { STEP_STATE_WORDS } from "#client/work-words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { StepRows } from "#components/patterns/step-rows.tsx";
import { cx } from "#components/ui/cx.ts";
import type { JobView } from "#contract/engine-jobs.ts";

type Step = JobView["steps"][number];
const SHAPES: Record<Step["state"], typeof CircleX> = {
  queued: CircleDashed,
  running: LoaderCircle,
  succeeded: CircleCheck,
  failed: CircleX,
  skipped: SkipForward,
};

/** Every step with how it stands, what came of it, our words and the host's own. */
export function JobSteps({ job, isLost }: { job: JobView; isLost: boolean }) {
  return (
    <section aria-labelledby="steps-title" className="min-w-0 rounded-lg border border-line">
      <h2 id="steps-title" className="border-b border-line px-4 py-2.5 font-semibold">
        Steps{" "}
        <span className="font-normal text-ink-3">
          {job.stepsDone} of {job.stepsTotal} done
        </span>
      </h2>
      {job.steps.length === 0 ? (
        <p className="px-4 py-3 text-ink-2">No step has been written down yet.</p>
      ) : (
        <StepRows
          label="Steps"
          steps={job.steps.map((step) => ({
            ...step,
            mark: <StepMark step={step} isLost={isLost} isOver={isOver(job.state)} />,
            more: <StepMore step={step} />,
          }))}
        />
      )}
    </section>
  );
}

function StepMark({ step, isLost, isOver }: { step: Step; isLost: boolean; isOver: boolean }) {
  // What was running when the host fell silent may be done, or not.
  if (isLost && step.state === "running") {
    return (
      <span data-step-state="unknown" className="hatched inline-flex items-center gap-1 px-1 text-ink-2">
        <CircleQuestionMark size={13} aria-hidden /> Cannot tell
      </span>
    );
  }
  const { tone, ...words } = STEP_STATE_WORDS[step.state];
  const label = isOver && step.state === "queued" ? "Not reached" : words.label;
  const Shape = SHAPES[step.state];
  const tookMs = step.startedAt && step.endedAt ? Date.parse(step.endedAt) - Date.parse(step.startedAt) : null;
  return (
    <span
      data-step-state={step.state}
      className={cx("inline-flex items-center gap-1 whitespace-nowrap", TONE_TEXT[tone])}
    >
      <Shape size={13} aria-hidden className={step.state === "running" ? "animate-turn" : undefined} /> {label}
      {tookMs !== null && tookMs >= 1000 && <span className="text-ink-3">in {formatAge(tookMs)}</span>}
    </span>
  );
}

function StepMore({ step }: { step: Step }) {
  return (
    <>
      {step.outcome && <p className="text-xs text-ink-2">{step.outcome}</p>}
      {step.error && <p className="mt-0.5 text-bad">{step.error}</p>}
      {step.hostMessage && (
        <p className="font-mono text-xs break-words text-ink-2">
          <span className="font-sans text-ink-3">The host says: </span>“{step.hostMessage}”
        </p>
      )}
    </>
  );
}
