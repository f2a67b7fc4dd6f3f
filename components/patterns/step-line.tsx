import { Database, Eye, HardDrive } from "lucide-react";
import type { ReactNode } from "react";
import type { StepPlace } from "#chain/plan/model.ts";
import { verbLabel } from "#client/work-words.ts";

export type StepRow = {
  n: number;
  verb: string;
  subject: string;
  call: string;
  place: StepPlace;
  mark: ReactNode;
  more?: ReactNode;
};
const PLACES = {
  host: { word: "on the host", Shape: HardDrive },
  record: { word: "in the record", Shape: Database },
  read: { word: "reads", Shape: Eye },
} as const satisfies Record<StepPlace, unknown>;

/** One step: where it acts, on what, the call that it makes, and what came of it. */
export function StepLine({ step }: { step: StepRow }) {
  const { word, Shape } = PLACES[step.place];
  return (
    <div className="grid grid-cols-[1.75rem_minmax(0,1fr)] gap-x-2">
      <span className="text-right text-xs leading-5 text-ink-3">{step.n}</span>
      <div className="min-w-0">
        <div className="flex flex-wrap items-baseline gap-x-2">
          <span className="font-medium">{verbLabel(step)}</span>
          <span className="min-w-0 break-words">{step.subject}</span>
          <span className="inline-flex items-center gap-1 self-center text-xs text-ink-3">
            <Shape size={12} aria-hidden /> {word}
          </span>
          <span className="ml-auto text-xs">{step.mark}</span>
        </div>
        <p className="font-mono text-xs leading-5 break-words text-ink-2">{step.call}</p>
        {step.more}
      </div>
    </div>
  );
}
