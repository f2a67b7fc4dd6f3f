import type { DiskVerdict } from "#chain/model.ts";
import { verdictReasonWords } from "#chain/words.ts";
import { formatBytes } from "#client/format.ts";
import { VerdictMark } from "#components/patterns/verdict-mark.tsx";
import type { PlanView } from "#contract/engine.ts";

const isSame = (left: DiskVerdict, right: DiskVerdict): boolean =>
  left.verdict === right.verdict && left.from === right.from && left.reason === right.reason;

/**
 * What the next backup of each disk costs, now and after the plan. A plan that backs up is the next backup itself: what
 * it costs stands in its words, and here only what the one after it can be.
 */
export function PlanCosts({ plan }: { plan: PlanView }) {
  const isBackup = plan.intent === "backup";
  const after = isBackup ? "The backup after this one" : "After the plan";
  return (
    <table className="w-full border-t border-line text-left">
      <caption className="sr-only">
        {isBackup
          ? "What the backup after this one can be, disk by disk"
          : "What the next backup of each disk costs, now and after the plan"}
      </caption>
      <thead className="bg-surface text-xs text-ink-3 max-sm:sr-only">
        <tr>
          <th scope="col" className="h-8 px-4 font-medium">
            Disk
          </th>
          {!isBackup && (
            <th scope="col" className="px-2 font-medium">
              Next backup now
            </th>
          )}
          <th scope="col" className="px-4 font-medium">
            {after}
          </th>
        </tr>
      </thead>
      <tbody>
        {plan.costs.map((cost) => (
          <tr key={cost.disk} className="border-t border-line align-top max-sm:block max-sm:px-2 max-sm:py-1.5">
            <th scope="row" className="px-4 py-2 font-mono font-medium max-sm:block max-sm:px-2 max-sm:py-0.5 sm:w-20">
              {cost.disk}
            </th>
            {!isBackup && (
              <td className="px-2 py-2 max-sm:block max-sm:py-0.5">
                <Narrow>now</Narrow>
                <Verdict verdict={cost.now} />
              </td>
            )}
            <td className="px-4 py-2 max-sm:block max-sm:px-2 max-sm:py-0.5">
              <Narrow>{isBackup ? "then" : "after"}</Narrow>
              {!isBackup && isSame(cost.now, cost.after) ? (
                <span className="text-ink-3">as now</span>
              ) : (
                <Verdict verdict={isBackup ? { ...cost.after, estimatedBytes: null } : cost.after} />
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The column's name where there is no head to read it from. */
const Narrow = ({ children }: { children: string }) => (
  <span className="inline-block w-9 text-xs text-ink-3 sm:hidden">{children}</span>
);

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
