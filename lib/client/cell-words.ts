/** How the cells of the bitmap matrix are called and drawn; loaded with what shows them. */
import { BITMAP_STATE_LABELS, type Label } from "#chain/words.ts";
import type { CellState } from "#graph/matrix.ts";
import type { Tone } from "./words.ts";

/** A cell of the bitmap matrix: sign and letter together, so that it reads in grey and aloud. */
export type CellWord = Label & { sign: string; tone: Tone };
export const CELL_WORDS: Record<CellState, CellWord> = {
  recording: { ...BITMAP_STATE_LABELS.recording, sign: "●", tone: "ok" },
  "not-trusted": {
    label: "Not trusted",
    letter: "T",
    hint: "It looks healthy to libvirt, but the disk was put back or replaced, or the bitmap made anew: writes are missing from it.",
    sign: "!",
    tone: "bad",
  },
  busy: { ...BITMAP_STATE_LABELS.busy, sign: "◐", tone: "info" },
  inconsistent: { ...BITMAP_STATE_LABELS.inconsistent, sign: "✕", tone: "bad" },
  "not-recording": { ...BITMAP_STATE_LABELS["not-recording"], sign: "○", tone: "bad" },
  "not-persistent": { ...BITMAP_STATE_LABELS["not-persistent"], sign: "◍", tone: "warn" },
  gap: { ...BITMAP_STATE_LABELS.gap, sign: "⌇", tone: "warn" },
  missing: {
    label: "Missing",
    letter: "M",
    hint: "Recorded for this disk and not in its image.",
    sign: "–",
    tone: "bad",
  },
  unknown: { label: "Unclaimed", letter: "U", hint: "On the disk; no checkpoint claims it.", sign: "◇", tone: "warn" },
  "not-covered": {
    label: "Not covered",
    letter: "",
    hint: "The checkpoint does not cover this disk.",
    sign: "·",
    tone: "mute",
  },
  "cannot-tell": {
    label: "Cannot tell",
    letter: "",
    hint: "This disk's bitmaps were not read.",
    sign: "?",
    tone: "mute",
  },
};
