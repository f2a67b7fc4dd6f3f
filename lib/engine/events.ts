import type { EngineEvent } from "#contract/engine.ts";
import { type Actor, hasRole, NEEDED } from "./actor.ts";
import { isVisible } from "./scope.ts";
import type { Context } from "./state.ts";

const HEARTBEAT_MS = 15_000;
/** A reader that falls this far behind gets a cut, and reads everything anew when it comes back. */
const MOST_WAITING = 5_000;

/** A stream outlives sessions, keys and roles; who listens is looked at again this often, and at every change of people. */
const LOOK_AGAIN_MS = 60_000;

const now = () => new Date().toISOString();

/**
 * Changes as they happen, of one VM or of all. Begins with a heartbeat, so that a reader knows at once that it is
 * connected; ends when this process missed changes, so that the reader reads everything anew, and when who listens may not any more.
 */
export async function* streamEvents(
  context: Context,
  { vmId }: { vmId?: string },
  signal: AbortSignal | undefined,
): AsyncGenerator<EngineEvent, void> {
  const { engine } = context;
  let actor: Actor | null = context.actor;
  let lookedAt = Date.now();
  const waiting: EngineEvent[] = [];
  let gap = false;
  let isDoubted = false;
  let wake: () => void = () => {};
  const stop = engine.changes.subscribe((event) => {
    if (event === "gap") gap = true;
    else if (event === "access") isDoubted = true;
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
      if (isDoubted || Date.now() - lookedAt > LOOK_AGAIN_MS) {
        isDoubted = false;
        lookedAt = Date.now();
        actor = await lookAgain(context, actor);
        if (!actor) return;
      }
      const next = waiting.shift();
      if (next) {
        if (await isVisible(engine, actor, next)) yield next;
        continue;
      }
      const woken = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), HEARTBEAT_MS);
        wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
        if (signal?.aborted || gap || isDoubted || waiting.length > 0) wake();
      });
      if (!woken) yield { type: "heartbeat", at: now() };
    }
  } finally {
    stop();
    signal?.removeEventListener("abort", abort);
    engine.metrics.streams.dec();
  }
}

/** Who listens, as it is now; null: session or key has ended, the role is too low, or it cannot be told. */
async function lookAgain({ reauthenticate }: Context, before: Actor): Promise<Actor | null> {
  if (!reauthenticate) return before;
  const actor = await reauthenticate().catch(() => null);
  return actor && hasRole(actor, NEEDED.events ?? "admin") ? actor : null;
}
