"use client";
import { loadLater } from "#components/ui/load-later.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import { StepLine, type StepRow } from "./step-line.tsx";

export type StepsProps = { steps: readonly StepRow[]; label: string };

/** Up to this many rows stand in the page as they are; more are windowed, by code that most plans never need. */
const ALL_AT_ONCE = 60;
const WindowedSteps = loadLater(
  () => import("./windowed-steps.tsx").then((m) => m.WindowedSteps),
  () => <Skeleton className="h-[30rem] w-full" />,
);

/** Every step: where it acts, on what, and the call that it makes. */
export function StepRows({ steps, label }: StepsProps) {
  if (steps.length > ALL_AT_ONCE) return <WindowedSteps steps={steps} label={label} />;
  return (
    <ol aria-label={label} className="divide-y divide-line">
      {steps.map((step) => (
        <li key={step.n} data-step={step.n} className="px-4 py-2">
          <StepLine step={step} />
        </li>
      ))}
    </ol>
  );
}
