/** How the words of the domain may be coloured and drawn. The words themselves are `#chain/words.ts`. */
import type { Agreement, Freshness, NextBackup, Severity, VerdictWord } from "#chain/model.ts";
import { BITMAP_STATE_LABELS, type Label } from "#chain/words.ts";
import type { CellState } from "#graph/matrix.ts";

/** Colour means status and nothing else. `mute` is for everything that is not known or does not matter. */
export type Tone = "ok" | "warn" | "bad" | "info" | "mute";

export const AGREEMENT_TONES: Record<Agreement, Tone> = {
  agrees: "ok",
  differs: "bad",
  unknown: "mute",
  checking: "info",
};
export const NEXT_BACKUP_TONES: Record<NextBackup, Tone> = {
  incremental: "ok",
  mixed: "warn",
  full: "warn",
  blocked: "bad",
  unknown: "mute",
};
export const VERDICT_TONES: Record<VerdictWord, Tone> = {
  incremental: "ok",
  full: "warn",
  blocked: "bad",
  unknown: "mute",
};
export const FRESHNESS_TONES: Record<Freshness, Tone> = {
  fresh: "ok",
  ageing: "warn",
  stale: "mute",
  offline: "mute",
};
export const SEVERITY_TONES: Record<Severity, Tone> = {
  loss: "bad",
  block: "bad",
  full: "warn",
  waste: "mute",
  note: "mute",
};

/** A cell of the bitmap matrix: sign and letter together, so that it reads in grey and aloud. */
export type CellWord = Label & { sign: string; tone: Tone };
export const CELL_WORDS: Record<CellState, CellWord> = {
  recording: { ...BITMAP_STATE_LABELS.recording, sign: "●", tone: "ok" },
  "not-trusted": {
    label: "Not trusted",
    letter: "T",
    hint: "It looks healthy to libvirt, but the disk was put back or replaced: writes are missing from it.",
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
