/** Hears what any web process wrote and tells the open event streams of this one. */

import { type EngineEvent, engineEventSchema } from "#contract/engine.ts";
import { listenForChanges } from "#db/index.ts";

/** `gap`: changes were missed. `access`: a role, a session or a key changed; whoever listens is to be looked at again. */
type Listener = (event: EngineEvent | "gap" | "access") => void;
export type ChangeHub = {
  subscribe: (listener: Listener) => () => void;
  /** Called when hosts were paired, changed or retired anywhere, and after a gap in which they may have been. */
  onHosts: (listener: () => void) => void;
  count: () => number;
  stop: () => Promise<void>;
};

export function openChanges(url: string): ChangeHub {
  const listeners = new Set<Listener>();
  const tell = (event: EngineEvent | "gap" | "access") => {
    for (const listener of listeners) listener(event);
  };
  const hostListeners = new Set<() => void>();
  const tellHosts = () => {
    for (const listener of hostListeners) listener();
  };
  const source = listenForChanges(url, {
    onChange: (change) => {
      if ((change as { type?: unknown } | null)?.type === "access") return tell("access");
      if (typeof change === "object" && change !== null && "type" in change && change.type === "hosts") tellHosts();
      const at = new Date().toISOString();
      const parsed = engineEventSchema.safeParse(typeof change === "object" ? { at, ...change } : change);
      if (parsed.success) tell(parsed.data);
    },
    onGap: () => {
      tell("gap");
      tellHosts();
    },
  });
  return {
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onHosts: (listener) => hostListeners.add(listener),
    count: () => listeners.size,
    stop: () => source.stop(),
  };
}
