"use client";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { StepLine } from "./step-line.tsx";
import type { StepsProps } from "./step-rows.tsx";

const ROW_PX = 58;

/** Many steps in a box of their own; only those in sight are mounted. */
export function WindowedSteps({ steps, label }: StepsProps) {
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
              <StepLine step={step} />
            </li>
          );
        })}
      </ol>
    </section>
  );
}
