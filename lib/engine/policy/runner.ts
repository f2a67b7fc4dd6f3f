import { log } from "../log.ts";
import type { Engine } from "../state.ts";
import { actByPolicy, isActive } from "./act.ts";

/** VMs that are repaired side by side. */
const PARALLEL = 4;
/** After the end of a job: its last words come in several events. */
const SETTLE_MS = 300;
/** Looking again when a state has just changed under a plan: not faster than this, and ever slower while it goes on. */
const SHORTEST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5 * 60_000;

export type PolicyRunner = {
  /** Looks at the VM soon, after `inMs`. Asked several times meanwhile it looks once. */
  consider: (vmId: string, inMs?: number) => void;
  stop: () => Promise<void>;
};

/** One a process. `hostIds`: the hosts that this process watches, as they are now. */
export function startPolicy(engine: Engine, hostIds: ReadonlySet<string>): PolicyRunner {
  const waiting = new Set<string>();
  const busy = new Map<string, Promise<void>>();
  const timers = new Map<string, { timer: NodeJS.Timeout; at: number }>();
  /** How often in a row a VM was to be looked at again. */
  const restless = new Map<string, number>();
  let stopped = false;

  const consider = (vmId: string, inMs = 0) => {
    if (stopped || !isActive(engine)) return;
    const at = Date.now() + inMs;
    const known = timers.get(vmId);
    if (known && known.at <= at) return;
    clearTimeout(known?.timer);
    const timer = setTimeout(() => {
      timers.delete(vmId);
      waiting.add(vmId);
      next();
    }, inMs);
    timers.set(vmId, { timer, at });
  };
  const next = () => {
    for (const vmId of waiting) {
      if (stopped || busy.size >= PARALLEL) return;
      if (busy.has(vmId)) continue;
      waiting.delete(vmId);
      const work = look(vmId).finally(() => {
        busy.delete(vmId);
        next();
      });
      busy.set(vmId, work);
    }
  };
  const look = async (vmId: string) => {
    try {
      const { againInMs } = await actByPolicy(engine, vmId, hostIds);
      if (againInMs === null) restless.delete(vmId);
      else {
        const times = restless.get(vmId) ?? 0;
        restless.set(vmId, times + 1);
        consider(vmId, Math.max(againInMs, Math.min(SHORTEST_WAIT_MS * 2 ** times, LONGEST_WAIT_MS)));
      }
    } catch (error) {
      if (!stopped) log.error({ vmId, err: error }, "policy failed on our side");
    }
  };
  // What one job left (another finding, a heal after a redefine) is looked at when it has ended.
  const unsubscribe = engine.changes.subscribe((event) => {
    if (typeof event === "object" && event.type === "job") consider(event.vmId, SETTLE_MS);
  });
  return {
    consider,
    stop: async () => {
      stopped = true;
      unsubscribe();
      for (const { timer } of timers.values()) clearTimeout(timer);
      await Promise.all(busy.values());
    },
  };
}
