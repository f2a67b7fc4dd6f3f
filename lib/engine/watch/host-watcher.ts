/** Keeps one host's VMs observed: by its events, and by a paced sweep for what events do not tell. */
import { setTimeout as delay } from "node:timers/promises";
import type { HostEvent } from "#contract/agent.ts";
import { endMoves, listRepairable, proveMove } from "#db/index.ts";
import { AgentCutOff, isAgentFailure } from "../agents/failure.ts";
import { log } from "../log.ts";
import { contactHost, noteHostFailure, readHost } from "../observe/read.ts";
import { readVms } from "../observe/read-vms.ts";
import type { Engine, EngineHost } from "../state.ts";
import { Backoff } from "./backoff.ts";
import { endsRun, movedBy } from "./moves.ts";
import { Pause } from "./pause.ts";

const DEBOUNCE_MS = 200;
/** Looks again while a domain is still changing, further and further apart. */
const FOLLOW_UP_MS = [1_500, 5_000, 15_000];
/** Agents send a heartbeat well within this; silence is a dead connection. */
const SILENCE_MS = 60_000;

export type Watcher = { stop: () => Promise<void> };

/** `consider` hears of every VM that policy may want to repair. */
export function watchHost(engine: Engine, host: EngineHost, consider: (vmId: string) => void = () => {}): Watcher {
  const stopping = new AbortController();
  const pending = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  const timers = new Set<NodeJS.Timeout>();

  const observeSoon = (vmId: string, attempt = 0) => {
    pending.set(vmId, attempt);
    timer ??= setTimeout(() => {
      timer = undefined;
      const batch = new Map(pending);
      pending.clear();
      void observeNow(batch);
    }, DEBOUNCE_MS);
  };
  const observeNow = async (batch: Map<string, number>) => {
    try {
      const { unsettled } = await readVms(engine, host, [...batch.keys()], {
        signal: stopping.signal,
        onRepairable: consider,
      });
      for (const vmId of unsettled) {
        const attempt = batch.get(vmId) ?? 0;
        const wait = FOLLOW_UP_MS[attempt];
        if (wait === undefined || stopping.signal.aborted) continue;
        const again = setTimeout(() => {
          timers.delete(again);
          observeSoon(vmId, attempt + 1);
        }, wait);
        timers.add(again);
      }
    } catch (error) {
      if (!stopping.signal.aborted)
        log.warn({ host: host.name, err: error }, "VMs could not be observed after an event");
    }
  };

  const onDomainEvent = async (event: Extract<HostEvent, { type: "domain" }>) => {
    const { vmId } = event;
    if (endsRun(event)) await endMoves(engine.db.orm, { vmId, hostId: host.id });
    const moved = movedBy(event);
    const target = moved === "all" || moved === null ? null : moved.disk;
    if (moved !== null) await proveMove(engine.db.orm, { vmId, hostId: host.id, target, at: new Date() });
    observeSoon(vmId);
  };

  /**
   * One connection's life: events first, so that nothing falls between the full read and them. Whoever takes the events
   * waits for no read: the next one may concern a VM that just stopped, and a host that talks is not silent.
   */
  const session = async () => {
    const ended = new AbortController();
    const signal = AbortSignal.any([stopping.signal, ended.signal]);
    const endSilent = () => ended.abort(new AgentCutOff("The agent sends nothing any more."));
    const pause = new Pause();
    let connection = await contactHost(engine, host);
    const events = await host.agent.api.events({}, { signal });
    let silence = setTimeout(endSilent, SILENCE_MS);
    try {
      const listening = (async () => {
        for await (const event of events) {
          clearTimeout(silence);
          silence = setTimeout(endSilent, SILENCE_MS);
          if (event.type === "domain") await onDomainEvent(event);
          // The first item says how it is. That is known, and the read that begins with the session tells the rest.
          if (event.type !== "connection" || event.state === connection) continue;
          connection = event.state;
          contactHost(engine, host).catch((error: unknown) => ended.abort(error));
          if (connection === "connected") pause.end();
        }
        throw new AgentCutOff("The agent closed its event stream.");
      })();
      await Promise.race([listening, sweep(signal, pause)]);
    } finally {
      clearTimeout(silence);
      ended.abort();
    }
  };
  /** The only full reads of the host, one after another. */
  const sweep = async (signal: AbortSignal, pause: Pause) => {
    const pace = engine.config.policy.observeEverySeconds * 1_000;
    for (;;) {
      const began = Date.now();
      pause.begin();
      await readHost(engine, host, { signal, onRepairable: consider });
      // Also what stood before, and did not change: nobody may have come to it yet.
      for (const vmId of await listRepairable(engine.db.orm, host.id)) consider(vmId);
      // Hosts that were reached together drift apart, so that sweeps do not come in one wave.
      await pause.wait(Math.max(pace * (0.85 + Math.random() * 0.15) - (Date.now() - began), pace / 10), signal);
      await contactHost(engine, host);
    }
  };

  const run = async () => {
    const backoff = new Backoff();
    while (!stopping.signal.aborted) {
      const began = Date.now();
      try {
        await session();
      } catch (error) {
        if (stopping.signal.aborted) return;
        // A database that is away says nothing about the host.
        if (isAgentFailure(error)) await noteHostFailure(engine, host, error).catch(() => {});
        else log.error({ host: host.name, err: error }, "watching a host failed on our side");
      }
      const wait = backoff.after(Date.now() - began);
      await delay(wait, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      for (const one of timers) clearTimeout(one);
      await running.catch(() => {});
    },
  };
}
