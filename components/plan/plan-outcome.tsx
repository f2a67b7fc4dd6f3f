import type { DiskVerdict } from "#chain/model.ts";
import { verdictReasonWords } from "#chain/words.ts";
import { formatBytes } from "#client/format.ts";
import { VerdictMark } from "#components/patterns/verdict-mark.tsx";
import type { PlanView } from "#contract/engine.ts";
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
      <div className="border-t border-line px-4 py-2.5">
        <PlanCounts counts={plan.counts} />
      </div>
      {plan.costs.length > 0 && (
        <table className="w-full border-t border-line text-left">
          <caption className="sr-only">What the next backup of each disk costs, now and after the plan</caption>
          <thead className="bg-surface text-xs text-ink-3 max-sm:sr-only">
            <tr>
              <th scope="col" className="h-8 px-4 font-medium">
                Disk
              </th>
              <th scope="col" className="px-2 font-medium">
                Next backup now
              </th>
              <th scope="col" className="px-4 font-medium">
                After the plan
              </th>
            </tr>
          </thead>
          <tbody>
            {plan.costs.map(({ disk, now, after }) => (
              <tr key={disk} className="border-t border-line align-top max-sm:block max-sm:px-2 max-sm:py-1.5">
                <th
                  scope="row"
                  className="px-4 py-2 font-mono font-medium max-sm:block max-sm:px-2 max-sm:py-0.5 sm:w-20"
                >
                  {disk}
                </th>
                <td className="px-2 py-2 max-sm:block max-sm:py-0.5">
                  <span className="inline-block w-9 text-xs text-ink-3 sm:hidden">now</span>
                  <Verdict verdict={now} />
                </td>
                <td className="px-4 py-2 max-sm:block max-sm:px-2 max-sm:py-0.5">
                  <span className="inline-block w-9 text-xs text-ink-3 sm:hidden">after</span>
                  <Verdict verdict={after} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Verdict({ verdict }: { verdict: DiskVerdict }) {
  return (
    <>
      <span className="inline-flex flex-wrap items-center gap-x-2 align-bottom">
        <VerdictMark verdict={verdict.verdict} />
        {verdict.estimatedBytes !== null && (
          <span className="text-ink-2">about {formatBytes(verdict.estimatedBytes)}</span>
        )}
      </span>
      {(verdict.from || verdict.reason) && (
        <span className="block text-xs text-ink-2 max-sm:pl-9">
          {verdict.from && (
            <>
              from <span className="font-mono break-all">{verdict.from}</span>{" "}
            </>
          )}
          {verdict.reason && verdictReasonWords(verdict.reason)}
        </span>
      )}
    </>
  );
}
