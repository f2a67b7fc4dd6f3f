"use client";
import { formatExact, formatRelative, toIsoUtc } from "#client/format.ts";
import { useNow } from "#client/now.ts";

/** A time: relative to read, exact on hover, ISO UTC in the markup and when copied. The server writes the exact form. */
export function Moment({ at, className }: { at: string; className?: string }) {
  const now = useNow();
  return (
    <time
      dateTime={toIsoUtc(at)}
      title={formatExact(at)}
      className={className}
      onCopy={(event) => {
        event.clipboardData.setData("text/plain", toIsoUtc(at));
        event.preventDefault();
      }}
    >
      {now === null ? formatExact(at) : formatRelative(at, now)}
    </time>
  );
}
