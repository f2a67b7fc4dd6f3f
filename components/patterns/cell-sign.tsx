import { CELL_WORDS } from "#client/cell-words.ts";
import { cx } from "#components/ui/cx.ts";
import type { CellState } from "#graph/matrix.ts";
import { TONE_TEXT } from "./axis-badge.tsx";

/** The state of one bitmap as sign and letter. `past`: the last known state; never green. */
export function CellSign({ state, past = false }: { state: CellState; past?: boolean }) {
  const { sign, letter, tone } = CELL_WORDS[state];
  return (
    <span
      aria-hidden
      className={cx("inline-flex items-center gap-0.5 font-mono text-xs", TONE_TEXT[past ? "mute" : tone])}
    >
      <span>{sign}</span>
      {letter && <span>{letter}</span>}
    </span>
  );
}
