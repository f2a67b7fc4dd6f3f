import type { ObserveError } from "#chain/model.ts";
import { observeErrorWords } from "#chain/words.ts";

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
      <p className="mt-1 text-ink-2">{observeErrorWords(error.code).next}</p>
    </div>
  );
}
