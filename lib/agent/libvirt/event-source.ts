/** The parent's side of the event child: keeps it alive, and knows whether libvirt is connected. */
import { type ChildProcess, fork } from "node:child_process";
import type { ObserveError } from "#chain/model.ts";
import type { HostEvent, HostInfo } from "#contract/agent.ts";
import type { EndedJob } from "../backups/outcome.ts";
import { Broadcast } from "../broadcast.ts";
import { observeError } from "../failure.ts";
import { OPEN_DEADLINE_MS } from "./call-process.ts";
import type { EventChildMessage } from "./ipc.ts";

/** The child says `alive` every second; after this long without a word it hangs. */
const SILENCE_MS = 20_000;
const RESPAWN_MS = 500;

type ConnectionState = HostInfo["connection"];

export type EventHooks = {
  onConnected: () => void;
  onDisconnected: () => void;
  onJobEnded: (vmId: string, ended: EndedJob) => void;
};

export class EventSource {
  readonly #uri: string;
  readonly #hooks: EventHooks;
  readonly #broadcast = new Broadcast<HostEvent>();
  #child: ChildProcess | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #respawn: NodeJS.Timeout | null = null;
  #closed = false;
  state: ConnectionState = { state: "connecting", since: new Date().toISOString(), error: null };

  constructor(uri: string, hooks: EventHooks) {
    this.#uri = uri;
    this.#hooks = hooks;
    this.#spawn();
  }

  get readers(): number {
    return this.#broadcast.readers;
  }

  /** Everything from now on, after one item that tells the present state of the connection. */
  subscribe(signal: AbortSignal | undefined): AsyncGenerator<HostEvent> {
    return this.#broadcast.subscribe(signal, [this.#connectionEvent()]);
  }

  close(): void {
    this.#closed = true;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    if (this.#respawn !== null) clearTimeout(this.#respawn);
    this.#child?.kill("SIGKILL");
    this.#broadcast.close();
  }

  #connectionEvent(): HostEvent {
    return {
      type: "connection",
      state: this.state.state === "connected" ? "connected" : "disconnected",
      reason: this.state.error?.hostMessage ?? this.state.error?.message ?? null,
      at: this.state.since,
    };
  }

  #spawn(): void {
    const child = fork(new URL("./event-child.ts", import.meta.url), [this.#uri, String(process.pid)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [],
    });
    this.#child = child;
    child.on("message", (message: EventChildMessage) => this.#receive(message));
    child.on("error", () => child.kill("SIGKILL"));
    child.once("exit", () => {
      if (this.#closed) return;
      this.#setState("disconnected", observeError("libvirt-unreachable", "The process that hears events ended."));
      this.#respawn = setTimeout(() => this.#spawn(), RESPAWN_MS);
    });
    this.#expect(SILENCE_MS, "The process that hears events does not start.");
  }

  #expect(withinMs: number, otherwise: string): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      this.#setState("disconnected", observeError("libvirt-unreachable", otherwise));
      this.#child?.kill("SIGKILL");
    }, withinMs);
    this.#deadline.unref();
  }

  #receive(message: EventChildMessage): void {
    if (this.#closed) return;
    if (message.type === "opening") {
      this.#expect(OPEN_DEADLINE_MS, `libvirt did not accept a connection within ${OPEN_DEADLINE_MS / 1000} s.`);
      return;
    }
    this.#expect(SILENCE_MS, "The process that hears events hangs.");
    if (message.type === "connected") {
      this.#setState("connected", null);
      this.#hooks.onConnected();
    } else if (message.type === "job-ended") this.#hooks.onJobEnded(message.vmId, message.ended);
    else if (message.type === "disconnected") this.#setState("disconnected", message.error);
    else if (message.type === "event") this.#broadcast.publish(message.event);
  }

  #setState(state: ConnectionState["state"], error: ObserveError | null): void {
    if (this.state.state === state) {
      // Still the same state: keep since when, with the newest reason.
      this.state = { ...this.state, error };
      return;
    }
    this.state = { state, since: new Date().toISOString(), error };
    if (state === "disconnected") this.#hooks.onDisconnected();
    this.#broadcast.publish(this.#connectionEvent());
  }
}
