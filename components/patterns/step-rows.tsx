"use client";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Database, Eye, HardDrive } from "lucide-react";
import { type ReactNode, useRef } from "react";
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
type Props = { steps: readonly StepRow[]; label: string };

/** Up to this many rows stand in the page as they are; more are windowed. */
const ALL_AT_ONCE = 60;
const ROW_PX = 58;
const PLACES = {
  host: { word: "on the host", Shape: HardDrive },
  record: { word: "in the record", Shape: Database },
  read: { word: "reads", Shape: Eye },
} as const satisfies Record<StepPlace, unknown>;

/** Every step: where it acts, on what, and the call that it makes. */
export function StepRows({ steps, label }: Props) {
  if (steps.length > ALL_AT_ONCE) return <WindowedSteps steps={steps} label={label} />;
  return (
    <ol aria-label={label} className="divide-y divide-line">
      {steps.map((step) => (
        <li key={step.n} data-step={step.n} className="px-4 py-2">
          <Step step={step} />
        </li>
      ))}
    </ol>
  );
}

function WindowedSteps({ steps, label }: Props) {
  const box = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: steps.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 6,
    getItemKey: (index) => steps[index]?.n ?? index,
    initialRect: { width: 800, height: 480 },
  });
  return (
    <section
      ref={box}
      aria-label={`${label}, scrollable`}
      tabIndex={0}
      className="scroll-thin max-h-[30rem] overflow-y-auto"
    >
      <ol aria-label={label} className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const step = steps[item.index];
          if (!step) return null;
          return (
            <li
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              data-step={step.n}
              aria-setsize={steps.length}
              aria-posinset={item.index + 1}
              className="absolute inset-x-0 top-0 border-b border-line px-4 py-2"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <Step step={step} />
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function Step({ step }: { step: StepRow }) {
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
