import { Database, Diamond, Info, type LucideIcon, OctagonX, TriangleAlert } from "lucide-react";
import type { FindingKind, Severity } from "#chain/model.ts";
import { KIND_TITLES, SEVERITY_LABELS } from "#chain/words.ts";
import { SEVERITY_TONES } from "#client/words.ts";
import { cx } from "#components/ui/cx.ts";
import { TONE_TEXT } from "./axis-badge.tsx";

const SHAPES: Record<Severity, LucideIcon> = {
  loss: TriangleAlert,
  block: OctagonX,
  full: Database,
  waste: Diamond,
  note: Info,
};

/** How much a finding matters: shape and colour, with the word unless `bare`. */
export function SeverityMark({ severity, bare = false }: { severity: Severity; bare?: boolean }) {
  const { label, hint } = SEVERITY_LABELS[severity];
  const Shape = SHAPES[severity];
  return (
    <span
      title={hint}
      className={cx(
        "inline-flex items-center gap-1.5 whitespace-nowrap font-medium",
        TONE_TEXT[SEVERITY_TONES[severity]],
      )}
    >
      <Shape size={15} strokeWidth={2} aria-hidden className="shrink-0" />
      <span className={bare ? "sr-only" : undefined}>{label}</span>
    </span>
  );
}

/** A finding kind as a chip: the API's own word, its severity as a shape, how often. `past`: as it was last known. */
export function KindChip(props: { kind: FindingKind; severity: Severity; count: number; past?: boolean }) {
  const { kind, severity, count, past = false } = props;
  return (
    <span
      title={past ? `Last known: ${KIND_TITLES[kind]}` : KIND_TITLES[kind]}
      className={cx(
        "inline-flex h-6 min-w-0 items-center gap-1 rounded-sm border border-line bg-surface px-1.5 font-mono text-xs whitespace-nowrap text-ink-2",
        past && "hatched",
      )}
    >
      <SeverityMark severity={severity} bare />
      <span className="truncate">{kind}</span>
      {count > 1 && <span className="text-ink-3">×{count}</span>}
    </span>
  );
}
