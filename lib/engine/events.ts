import type { EngineEvent } from "#contract/engine.ts";
import type { Context } from "./state.ts";

const HEARTBEAT_MS = 15_000;
/** A reader that falls this far behind gets a cut, and reads everything anew when it comes back. */
const MOST_WAITING = 5_000;

const now = () => new Date().toISOString();

/**
 * Changes as they happen, of one VM or of all. Begins with a heartbeat, so that a reader knows at once that it is
 * connected; ends when this process missed changes, so that the reader reads everything anew.
 */
export async function* streamEvents(
  { engine }: Context,
  { vmId }: { vmId?: string },
  signal: AbortSignal | undefined,
): AsyncGenerator<EngineEvent, void> {
  const waiting: EngineEvent[] = [];
  let gap = false;
  let wake: () => void = () => {};
  const stop = engine.changes.subscribe((event) => {
    if (event === "gap") gap = true;
    else if (event.type === "host" || vmId === undefined || ("vmId" in event && event.vmId === vmId))
      waiting.push(event);
    wake();
  });
  const abort = () => wake();
  signal?.addEventListener("abort", abort);
  engine.metrics.streams.inc();
  try {
    yield { type: "heartbeat", at: now() };
    while (!signal?.aborted && !gap && waiting.length < MOST_WAITING) {
      const next = waiting.shift();
      if (next) {
        yield next;
        continue;
      }
      const woken = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), HEARTBEAT_MS);
        wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
        if (signal?.aborted || gap || waiting.length > 0) wake();
      });
      if (!woken) yield { type: "heartbeat", at: now() };
    }
  } finally {
    stop();
    signal?.removeEventListener("abort", abort);
    engine.metrics.streams.dec();
  }
}
