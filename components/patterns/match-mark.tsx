import { cx } from "#components/ui/cx.ts";
import { MATCHES, type Match } from "#graph/types.ts";

/** How record and host stand to each other: border style, sign and word, as in the map and the list. */
export const MATCH_LOOK: Record<Match, { sign: string; word: string; hint: string; border: string; text: string }> = {
  both: { sign: "=", word: "both", hint: "Recorded and listed alike.", border: "border border-solid", text: "text-ok" },
  differs: {
    sign: "≠",
    word: "differs",
    hint: "Recorded and listed, but something about it is wrong.",
    border: "border-4 border-double",
    text: "text-bad",
  },
  "record-only": {
    sign: "DB",
    word: "record only",
    hint: "Recorded; libvirt does not list it.",
    border: "border-2 border-dashed",
    text: "text-warn",
  },
  "host-only": {
    sign: "host",
    word: "host only",
    hint: "libvirt lists it; it is not recorded.",
    border: "border-2 border-dotted",
    text: "text-info",
  },
  unknown: {
    sign: "?",
    word: "cannot tell",
    hint: "Recorded; what the host has could not be read.",
    border: "border border-solid hatched",
    text: "text-ink-2",
  },
};

/** `past`: the last known standing; never green. */
export function MatchMark({ match, bare = false, past = false }: { match: Match; bare?: boolean; past?: boolean }) {
  const look = MATCH_LOOK[match];
  return (
    <span
      title={look.hint}
      className={cx("inline-flex items-center gap-1.5 whitespace-nowrap", past ? "text-ink-2" : look.text)}
    >
      <span aria-hidden className="min-w-4 text-center font-mono text-xs font-semibold">
        {look.sign}
      </span>
      <span className={bare ? "sr-only" : undefined}>
        {past && match !== "unknown" ? `was ${look.word}` : look.word}
      </span>
    </span>
  );
}

/** The styles explained, under the map. `past`: as in `MatchMark`. */
export function MatchLegend({ past }: { past: boolean }) {
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1.5 text-xs text-ink-2">
      {MATCHES.map((match) => (
        <li key={match} className="flex items-center gap-1.5" title={MATCH_LOOK[match].hint}>
          <span aria-hidden className={cx("h-4 w-6 rounded-sm border-line-strong", MATCH_LOOK[match].border)} />
          <MatchMark match={match} past={past} />
        </li>
      ))}
    </ul>
  );
}
