import { CircleQuestionMark, Database, OctagonX, Zap } from "lucide-react";
import type { VerdictWord } from "#chain/model.ts";
import { VERDICT_LABELS } from "#chain/words.ts";
import { VERDICT_TONES } from "#client/words.ts";
import { cx } from "#components/ui/cx.ts";
import { TONE_TEXT } from "./axis-badge.tsx";

const SHAPES: Record<VerdictWord, typeof Zap> = {
  incremental: Zap,
  full: Database,
  blocked: OctagonX,
  unknown: CircleQuestionMark,
};

/** What the next backup of a disk can be: shape, word and colour together. */
export function VerdictMark({ verdict }: { verdict: VerdictWord }) {
  const Shape = SHAPES[verdict];
  return (
    <span
      title={VERDICT_LABELS[verdict].hint}
      className={cx(
        "inline-flex items-center gap-1.5 font-medium whitespace-nowrap",
        TONE_TEXT[VERDICT_TONES[verdict]],
      )}
    >
      <Shape size={15} aria-hidden className="shrink-0" /> {VERDICT_LABELS[verdict].label}
    </span>
  );
}
