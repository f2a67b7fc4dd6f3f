/** How the words of the domain may be coloured and drawn. The words themselves are `#chain/words.ts`. */
import type { Agreement, Freshness, NextBackup, Severity, VerdictWord } from "#chain/model.ts";

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

/** An observation this old says nothing about now. */
export const isPast = (freshness: Freshness): boolean => freshness === "stale" || freshness === "offline";
