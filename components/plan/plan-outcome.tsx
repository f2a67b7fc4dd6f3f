import { plural } from "#client/format.ts";
import { FindingIds } from "#components/patterns/finding-ids.tsx";
import type { PlanView } from "#contract/engine.ts";
import { PlanCosts } from "./plan-costs.tsx";
import { PlanCounts } from "./plan-counts.tsx";

/** What would be so afterwards: in words, as counts, and what the next backup of each disk costs now and then. */
export function PlanOutcome({ plan }: { plan: PlanView }) {
  return (
    <section aria-labelledby="outcome-title" className="min-w-0 rounded-lg border border-line">
      <h2 id="outcome-title" className="border-b border-line px-4 py-2.5 font-semibold">
        What would happen
      </h2>
      <ul className="space-y-1.5 px-4 py-3 text-base">
        {plan.consequences.map((text) => (
          <li key={text} className="flex gap-2.5">
            <span aria-hidden className="mt-[0.55rem] size-1.5 shrink-0 rounded-full bg-ink-3" />
            <span className="min-w-0 break-words">{text}</span>
          </li>
        ))}
      </ul>
      {plan.promises.length > 0 && (
        <div className="border-t border-line px-4 py-2.5">
          <h3 className="mb-1 text-xs font-medium text-ink-3">
            Gone afterwards: {plural(plan.promises.length, "finding")}
          </h3>
          <FindingIds ids={plan.promises} />
        </div>
      )}
      <div className="border-t border-line px-4 py-2.5">
        <PlanCounts counts={plan.counts} />
      </div>
      {plan.costs.length > 0 && <PlanCosts plan={plan} />}
    </section>
  );
}
