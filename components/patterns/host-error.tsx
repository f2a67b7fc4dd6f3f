"use client";
import type { ObserveError } from "#chain/model.ts";
import { loadLater } from "#components/ui/load-later.tsx";

// Our sentence and the host's own are there at once; most pages never show one.
const NextStep = loadLater(
  () => import("./host-error-next.tsx").then((m) => m.HostErrorNext),
  () => null,
);

/** A read that failed: our sentence, the host's own words, what to do. Never shown as "none". */
export function HostError({ error }: { error: ObserveError }) {
  return (
    <div className="min-w-0">
      <p>
        {error.message} <span className="font-mono text-xs text-ink-3">{error.code}</span>
      </p>
      {error.hostMessage && (
        <p className="mt-1 font-mono text-xs break-words text-ink-2">
          <span className="sr-only">The host says: </span>“{error.hostMessage}”
        </p>
      )}
      <p className="mt-1 min-h-5 text-ink-2">
        <NextStep code={error.code} />
      </p>
    </div>
  );
}
