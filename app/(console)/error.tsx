"use client";
import { isChunkFailure } from "#client/problem.ts";
import { ErrorPanel } from "#components/patterns/state-panel.tsx";

/** A screen that threw while drawing. The shell stays usable. */
export default function ConsoleError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <div className="px-4">
      <ErrorPanel
        what="This screen cannot be shown"
        error={error}
        onRetry={() => (isChunkFailure(error) ? window.location.reload() : reset())}
      />
    </div>
  );
}
