import {
  CircleCheck,
  CircleDashed,
  CircleDot,
  CircleQuestionMark,
  ClockAlert,
  Contrast,
  Database,
  EqualNot,
  LoaderCircle,
  type LucideIcon,
  OctagonX,
  Unplug,
  Zap,
} from "lucide-react";
import type { Agreement, Freshness, NextBackup } from "#chain/model.ts";
import { AGREEMENT_LABELS, FRESHNESS_LABELS, type Label, NEXT_BACKUP_LABELS } from "#chain/words.ts";
import { AGREEMENT_TONES, FRESHNESS_TONES, isPast, NEXT_BACKUP_TONES, type Tone } from "#client/words.ts";
import { cx } from "#components/ui/cx.ts";

const AGREEMENT_SHAPES: Record<Agreement, LucideIcon> = {
  agrees: CircleCheck,
  differs: EqualNot,
  unknown: CircleQuestionMark,
  checking: LoaderCircle,
};
const NEXT_BACKUP_SHAPES: Record<NextBackup, LucideIcon> = {
  incremental: Zap,
  mixed: Contrast,
  full: Database,
  blocked: OctagonX,
  unknown: CircleQuestionMark,
};
const FRESHNESS_SHAPES: Record<Freshness, LucideIcon> = {
  fresh: CircleDot,
  ageing: ClockAlert,
  stale: CircleDashed,
  offline: Unplug,
};

export const TONE_TEXT: Record<Tone, string> = {
  ok: "text-ok",
  warn: "text-warn",
  bad: "text-bad",
  info: "text-info",
  mute: "text-ink-2",
};
const TONE_PILL: Record<Tone, string> = {
  ok: "bg-ok-bg",
  warn: "bg-warn-bg",
  bad: "bg-bad-bg",
  info: "bg-info-bg",
  mute: "bg-surface",
};

export type AxisValue =
  | { axis: "agreement"; value: Agreement }
  | { axis: "nextBackup"; value: NextBackup }
  | { axis: "freshness"; value: Freshness };

/** The word, the shape and the colour of a value on its axis. */
export function describeAxis(axis: AxisValue): { word: Label; tone: Tone; Shape: LucideIcon } {
  switch (axis.axis) {
    case "agreement":
      return {
        word: AGREEMENT_LABELS[axis.value],
        tone: AGREEMENT_TONES[axis.value],
        Shape: AGREEMENT_SHAPES[axis.value],
      };
    case "nextBackup":
      return {
        word: NEXT_BACKUP_LABELS[axis.value],
        tone: NEXT_BACKUP_TONES[axis.value],
        Shape: NEXT_BACKUP_SHAPES[axis.value],
      };
    case "freshness":
      return {
        word: FRESHNESS_LABELS[axis.value],
        tone: FRESHNESS_TONES[axis.value],
        Shape: FRESHNESS_SHAPES[axis.value],
      };
  }
}

/**
 * One value of one axis: shape, word and colour together.
 * `past`: the observation is stale, its host offline or the newest read failed. Then it says "Cannot tell", hatched, and
 * names the last known value below; how old the observation is stays said. It is never green.
 */
export function AxisBadge({ axis, past = false, pill = false }: { axis: AxisValue; past?: boolean; pill?: boolean }) {
  const known = describeAxis(axis);
  const isHatched = past || (axis.axis === "freshness" && isPast(axis.value));
  const last = past && axis.axis !== "freshness" && axis.value !== "unknown" ? known.word.label : null;
  const shown = past && axis.axis !== "freshness" ? describeAxis({ axis: "agreement", value: "unknown" }) : known;
  const tone = isHatched ? "mute" : shown.tone;
  return (
    <span
      data-axis={axis.axis}
      data-value={axis.value}
      data-tone={tone}
      title={last ? `Last known: ${last}. ${shown.word.hint}` : shown.word.hint}
      className={cx(
        "inline-flex max-w-full items-center gap-1.5 rounded-md whitespace-nowrap",
        TONE_TEXT[tone],
        pill && `min-h-7 border border-line px-2 font-medium ${TONE_PILL[tone]}`,
        isHatched && "hatched",
        isHatched && !pill && "-ml-1 px-1",
      )}
    >
      <shown.Shape
        size={15}
        strokeWidth={2}
        aria-hidden
        className={cx("shrink-0", axis.value === "checking" && "animate-turn")}
      />
      <span className={cx("flex min-w-0", pill ? "items-baseline gap-1.5" : "flex-col")}>
        <span className="truncate">{shown.word.label}</span>
        {last && <span className="truncate text-xs leading-4 font-normal text-ink-2">was {last.toLowerCase()}</span>}
      </span>
    </span>
  );
}
