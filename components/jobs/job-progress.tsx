"use client";
import { useEffect, useState } from "react";
import { formatAge, formatBytes, formatPercent } from "#client/format.ts";
import { addSample, rateOf, type Sample, timeLeftMs } from "#client/rate.ts";
import type { JobView } from "#contract/engine-jobs.ts";

/** How far a running job is: bytes where they are counted, else steps; rate and time left from what this page saw. */
export function JobProgress({ job, isLost }: { job: JobView; isLost: boolean }) {
  const [samples, setSamples] = useState<Sample[]>([]);
  const doneBytes = job.progress?.doneBytes ?? null;
  useEffect(() => {
    if (doneBytes !== null) setSamples((old) => addSample(old, { atMs: Date.now(), doneBytes }));
  }, [doneBytes]);
  const total = job.progress?.totalBytes ?? null;
  const rate = isLost ? null : rateOf(samples);
  const left = doneBytes === null ? null : timeLeftMs(rate, doneBytes, total);
  const [part, whole] =
    doneBytes !== null && total !== null && total > 0 ? [doneBytes, total] : [job.stepsDone, job.stepsTotal];
  const text =
    doneBytes === null
      ? `${job.stepsDone} of ${job.stepsTotal} steps`
      : [
          `${formatBytes(doneBytes)}${total === null ? "" : ` of ${formatBytes(total)} (${formatPercent(doneBytes, total)})`}`,
          rate === null ? null : `${formatBytes(rate)}/s`,
          left === null ? null : `about ${formatAge(left)} left`,
        ]
          .filter((piece) => piece !== null)
          .join(", ");
  return (
    <section aria-label="Progress" className="rounded-lg border border-line px-4 py-3">
      <div
        role="progressbar"
        aria-label="Progress"
        aria-valuemin={0}
        aria-valuemax={Math.max(1, whole)}
        aria-valuenow={part}
        aria-valuetext={text}
        className="h-2 overflow-hidden rounded-sm border border-line-strong bg-surface"
      >
        <div
          className={isLost ? "hatched h-full" : "h-full bg-ink transition-[width] forced:bg-[Highlight]"}
          style={{ width: `${whole > 0 ? Math.min(100, (part / whole) * 100) : 0}%` }}
        />
      </div>
      <p className="mt-1.5 text-ink-2">
        {isLost && "Last known: "}
        {text}
      </p>
    </section>
  );
}
