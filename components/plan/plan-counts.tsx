import { countWords } from "#client/work-words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { cx } from "#components/ui/cx.ts";
import type { PlanView } from "#contract/engine.ts";

/** `+ define 3 − delete 2 × bitmap 1 ! full 1` */
export function PlanCounts({ counts }: { counts: PlanView["counts"] }) {
  const shown = countWords(counts);
  if (shown.length === 0) return <p className="text-ink-3">Nothing is counted: it only reads.</p>;
  return (
    <ul aria-label="Counts" className="flex flex-wrap gap-x-4 gap-y-1 font-mono text-xs">
      {shown.map(({ sign, word, count, tone }) => (
        <li key={word} className={cx("whitespace-nowrap", TONE_TEXT[tone])}>
          <span aria-hidden className="font-semibold">
            {sign}
          </span>{" "}
          {word} <span className="font-semibold">{count}</span>
        </li>
      ))}
    </ul>
  );
}
