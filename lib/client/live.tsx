"use client";
import { type Query, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";
import type { EngineEvent } from "#contract/engine.ts";

/** `paused`: the tab is hidden, nothing is read until somebody looks. */
export type LiveState = "connecting" | "connected" | "reconnecting" | "offline" | "paused";
type Listener = (event: EngineEvent) => void;
type Live = { state: LiveState; since: number; subscribe: (listener: Listener) => () => void };

const LiveContext = createContext<Live>({ state: "connecting", since: 0, subscribe: () => () => {} });
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
/** The server sends a heartbeat well within this time; silence means a dead connection that TCP has not noticed. */
const SILENCE_MS = 45_000;

/** A host's change concerns all its VMs; hosts that change together are one read. */
const HOST_GATHER_MS = 1000;
/** What is read grows old without any event: how old it is, the server says when it is asked again. */
const AGEING_MS = 15_000;

/** Reading extents starts a backup job on the host of a running VM: only when somebody asks, whatever happened here. */
export const isReadUnasked = ({ queryKey }: Pick<Query, "queryKey">): boolean =>
  !(queryKey[0] === "vm" && queryKey[2] === "extents");

const AGEING_KEYS: readonly unknown[] = ["vm", "vms", "hosts", "job", "jobs", "plan", "plan-group"];
/** What tells how things are, and has an answer that may have become the past. */
const tellsOfNow = (query: Query): boolean =>
  AGEING_KEYS.includes(query.queryKey[0]) && isReadUnasked(query) && query.state.data !== undefined;

const HOST_KEYS: readonly unknown[] = ["vms", "hosts", "plan", "plan-group"];
type ShowsHost = { hostId?: string | null; vm?: { hostId?: string | null } };
/** Whether an answer may say something else now that these hosts do: jobs tell of themselves, backups are history. */
export function dependsOnHosts(query: Query, hostIds: ReadonlySet<string>): boolean {
  if (!tellsOfNow(query)) return false;
  const [key, , part] = query.queryKey;
  if (key !== "vm") return HOST_KEYS.includes(key);
  if (part !== "summary" && part !== "chain") return false;
  const shown = query.state.data as ShowsHost;
  const hostId = shown.vm ? shown.vm.hostId : shown.hostId;
  return !hostId || hostIds.has(hostId);
}

const parseEvent = (data: string): EngineEvent | null => {
  try {
    return JSON.parse(data) as EngineEvent;
  } catch {
    return null;
  }
};

/** The state of the event stream; `useLiveEvent` listens to what it brings. */
export function useLive(): Live {
  return useContext(LiveContext);
}

/** Calls `listener` for each event while the component is mounted. */
export function useLiveEvent(listener: Listener): void {
  const { subscribe } = useLive();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => subscribe((event) => latest.current(event)), [subscribe]);
}

/** Keeps one event stream open while the tab is visible and online; after a gap everything shown is read again. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queryClient = useQueryClient();
  const listeners = useRef(new Set<Listener>());
  const [status, setStatus] = useState<{ state: LiveState; since: number }>({ state: "connecting", since: 0 });
  const [subscribe] = useState(() => (listener: Listener) => {
    listeners.current.add(listener);
    return () => void listeners.current.delete(listener);
  });

  useEffect(() => {
    let source: EventSource | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let silence: ReturnType<typeof setTimeout> | undefined;
    let retryMs = FIRST_RETRY_MS;
    let hadGap = false;
    let gathering: ReturnType<typeof setTimeout> | undefined;
    let changedHosts = new Set<string>();
    const readHostsAgain = () => {
      gathering = undefined;
      const hostIds = changedHosts;
      changedHosts = new Set();
      void queryClient.invalidateQueries({ predicate: (query) => dependsOnHosts(query, hostIds) });
    };
    const ageing = setInterval(() => {
      if (source && document.visibilityState === "visible")
        void queryClient.invalidateQueries({ predicate: tellsOfNow });
    }, AGEING_MS);

    const enter = (state: LiveState) => setStatus((old) => (old.state === state ? old : { state, since: Date.now() }));
    const close = () => {
      clearTimeout(timer);
      clearTimeout(silence);
      // Whatever was still to be read is read after the gap that begins here.
      clearTimeout(gathering);
      gathering = undefined;
      changedHosts = new Set();
      source?.close();
      source = null;
    };
    const retry = () => {
      close();
      hadGap = true;
      enter("reconnecting");
      timer = setTimeout(open, retryMs * (0.75 + Math.random() / 2));
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    };
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(retry, SILENCE_MS);
    };
    function open() {
      close();
      source = new EventSource("/api/v1/events");
      source.onopen = () => {
        retryMs = FIRST_RETRY_MS;
        heard();
        enter("connected");
        if (hadGap) void queryClient.invalidateQueries({ predicate: isReadUnasked });
        hadGap = false;
      };
      source.onerror = retry;
      source.onmessage = (message) => {
        heard();
        const event = parseEvent(message.data);
        if (event?.type === "host") {
          changedHosts.add(event.hostId);
          gathering ??= setTimeout(readHostsAgain, HOST_GATHER_MS);
        }
        if (event) for (const listener of listeners.current) listener(event);
      };
    }
    const decide = () => {
      if (!navigator.onLine) {
        hadGap = true;
        close();
        enter("offline");
      } else if (document.visibilityState === "hidden") {
        hadGap = true;
        close();
        enter("paused");
      } else if (!source) {
        open();
      }
    };
    decide();
    window.addEventListener("online", decide);
    window.addEventListener("offline", decide);
    document.addEventListener("visibilitychange", decide);
    return () => {
      close();
      clearInterval(ageing);
      window.removeEventListener("online", decide);
      window.removeEventListener("offline", decide);
      document.removeEventListener("visibilitychange", decide);
    };
  }, [queryClient]);

  return <LiveContext value={{ ...status, subscribe }}>{children}</LiveContext>;
}
