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

export function HostState({ state }: { state: Host["state"] }) {
  const { word, tone, Shape } = STATES[state];
  return (
    <span className={cx("inline-flex items-center gap-1.5 font-medium", TONE_TEXT[tone])}>
      <Shape size={15} aria-hidden /> {word}
    </span>
  );
}
