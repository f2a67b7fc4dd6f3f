import { CircleCheck, CircleDashed, TriangleAlert, Unplug } from "lucide-react";
import type { Tone } from "#client/words.ts";
import { TONE_TEXT } from "#components/patterns/axis-badge.tsx";
import { cx } from "#components/ui/cx.ts";
import type { Host } from "#contract/engine.ts";

const STATES = {
  online: { word: "Online", tone: "ok", Shape: CircleCheck },
  degraded: { word: "Degraded", tone: "warn", Shape: TriangleAlert },
  offline: { word: "Offline", tone: "bad", Shape: Unplug },
  never: { word: "Never reached", tone: "mute", Shape: CircleDashed },
} as const satisfies Record<Host["state"], { word: string; tone: Tone; Shape: typeof Unplug }>;

/** `past`: the last known state; never green. */
export function HostState({ state, past }: { state: Host["state"]; past: boolean }) {
  const { word, tone, Shape } = STATES[state];
  return (
    <span
      className={cx(
        "inline-flex items-center gap-1.5 font-medium",
        past ? "hatched rounded-sm px-1 text-ink-2" : TONE_TEXT[tone],
      )}
    >
      <Shape size={15} aria-hidden /> {past ? `was ${word.toLowerCase()}` : word}
    </span>
  );
}
