"use client";
import { useEffect, useRef } from "react";
import { useAnnounce } from "#client/announce.tsx";
import { type LiveState, useLive } from "#client/live.tsx";
import { cx } from "#components/ui/cx.ts";

const WORDS: Record<LiveState, { word: string; means: string; dot: string }> = {
  connecting: { word: "Connecting", means: "Opening the event stream.", dot: "border-ink-3" },
  connected: { word: "Live", means: "Changes arrive as they happen.", dot: "border-ok bg-ok" },
  reconnecting: {
    word: "Reconnecting",
    means: "No events arrive. What is shown may be old.",
    dot: "border-warn animate-pulse-soft",
  },
  offline: { word: "Offline", means: "This browser has no network. What is shown may be old.", dot: "border-bad" },
  paused: { word: "Paused", means: "Nothing is read while the tab is hidden.", dot: "border-ink-3" },
};

/** Whether changes reach this page, always in words; said aloud when it breaks and when it comes back. */
export function LiveStatus() {
  const { state } = useLive();
  const announce = useAnnounce();
  const wasBroken = useRef(false);
  useEffect(() => {
    const isBroken = state === "reconnecting" || state === "offline";
    if (isBroken) announce(WORDS[state].means);
    else if (wasBroken.current && state === "connected") announce("Connected again.");
    if (state !== "paused" && state !== "connecting") wasBroken.current = isBroken;
  }, [state, announce]);
  const { word, means, dot } = WORDS[state];
  return (
    <span
      data-live={state}
      title={means}
      className="mr-1 inline-flex h-8 items-center gap-1.5 px-1 text-xs whitespace-nowrap text-ink-2"
    >
      <span aria-hidden className={cx("size-2 rounded-full border-2", dot)} />
      <span className={state === "connected" ? "max-sm:sr-only" : undefined}>{word}</span>
    </span>
  );
}
