import { CircleCheck, type CircleDashed, CircleSlash, CircleX, Hourglass, LoaderCircle, Unplug } from "lucide-react";
import { JOB_STATE_WORDS } from "#client/work-words.ts";
import { cx } from "#components/ui/cx.ts";
import type { JobRow } from "#contract/engine-jobs.ts";
import { TONE_TEXT } from "./axis-badge.tsx";

const SHAPES: Record<JobRow["state"], typeof CircleDashed> = {
  queued: Hourglass,
  running: LoaderCircle,
  succeeded: CircleCheck,
  failed: CircleX,
  cancelled: CircleSlash,
  lost: Unplug,
};

/** How a job stands: shape, word and colour together. A running job whose host is silent is "Lost contact". */
export function JobState({ job }: { job: Pick<JobRow, "state" | "lostContactSince" | "cancelRequestedAt"> }) {
  const isRunning = job.state === "running" || job.state === "queued";
  const state = isRunning && job.lostContactSince !== null ? "lost" : job.state;
  const isEnding = state === "running" && job.cancelRequestedAt !== null;
  const { label, tone, hint } = JOB_STATE_WORDS[state];
  const Shape = SHAPES[state];
  return (
    <span
      data-job-state={state}
      title={hint}
      className={cx(
        "inline-flex items-center gap-1.5 font-medium whitespace-nowrap",
        state === "lost" ? "hatched -ml-1 rounded-sm px-1 text-ink-2" : TONE_TEXT[tone],
      )}
    >
      <Shape size={15} aria-hidden className={cx("shrink-0", state === "running" && "animate-turn")} />
      {isEnding ? "Cancelling" : label}
    </span>
  );
}
