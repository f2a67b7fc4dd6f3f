/** The parent's side of one call child: one request at a time, each with a deadline after which the child is killed. */
import { type ChildProcess, fork } from "node:child_process";
import type { ObserveError } from "#chain/model.ts";
import { HostFailure, observeError } from "../failure.ts";
import type { CallOp, CallOps, CallReply, CallRequest } from "./ipc.ts";

export const OPEN_DEADLINE_MS = 5_000;

/** A call failed at the host's side: `scope` says whether the daemon or only what was asked about is to blame. */
export class CallFailure extends HostFailure {
  readonly scope: "host" | "domain";
  /** The call did not end: it may still be at work in the daemon. */
  readonly hung: boolean;
  constructor(
    error: ObserveError,
    scope: "host" | "domain",
    hung: boolean,
    libvirt: { code: number; domain: number } | null = null,
  ) {
    super(error, libvirt);
    this.scope = scope;
    this.hung = hung;
  }
}

type Pending = {
  id: number;
  deadlineMs: number;
  timer: NodeJS.Timeout;
  opening: boolean;
  resolve: (value: never) => void;
  reject: (failure: CallFailure) => void;
};

let nextId = 1;

export class CallProcess {
  readonly #child: ChildProcess;
  #pending: Pending | null = null;
  #dead = false;
  /** When the request at work began; null while idle. */
  busySince: number | null = null;
  idleSince: number = Date.now();
  isRetired = false;

  constructor(uri: string, onExit: (process: CallProcess) => void) {
    this.#child = fork(new URL("./call-child.ts", import.meta.url), [uri, String(process.pid)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [],
    });
    this.#child.on("message", (reply: CallReply) => this.#receive(reply));
    let reported = false;
    const gone = (why: string): void => {
      if (reported) return;
      reported = true;
      this.#dead = true;
      this.#settle((p) =>
        p.reject(
          new CallFailure(observeError("internal", "The process that talks to libvirt ended.", why), "domain", true),
        ),
      );
      onExit(this);
    };
    this.#child.on("error", (error) => gone(error.message));
    this.#child.on("exit", (code, signal) => gone(`exit ${code ?? ""} ${signal ?? ""}`.trim()));
  }

  get isIdle(): boolean {
    return !this.#dead && this.busySince === null;
  }
  /** Killed or ended: no longer counts, though its exit may still be reported. */
  get isDead(): boolean {
    return this.#dead;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Performs one operation. Rejects with a `CallFailure`; never later than its deadlines. */
  call<K extends CallOp>(op: K, input: CallOps[K]["input"], deadlineMs: number): Promise<CallOps[K]["output"]> {
    return new Promise((resolve, reject) => {
      const id = nextId++;
      const timer = setTimeout(() => this.#expire(), deadlineMs);
      this.#pending = { id, deadlineMs, timer, opening: false, resolve: resolve as never, reject };
      this.busySince = Date.now();
      this.#child.send({ id, op, input } as CallRequest, (error) => {
        if (error !== null) this.kill();
      });
    });
  }

  /** Ends a child that is not needed any more. */
  retire(): void {
    this.isRetired = true;
    this.kill();
  }

  /** A request is at work, and not the opening of the connection, which has a deadline of its own. */
  get canGiveUp(): boolean {
    return this.#pending !== null && !this.#pending.opening;
  }

  /** The request at work fails as one that hangs, before its deadline. */
  giveUp(): void {
    this.#expire();
  }

  kill(): void {
    this.#dead = true;
    this.#child.kill("SIGKILL");
  }

  #receive(reply: CallReply): void {
    const pending = this.#pending;
    if (pending === null) return;
    if (reply.type === "opening" || reply.type === "opened") {
      clearTimeout(pending.timer);
      pending.opening = reply.type === "opening";
      // Only now libvirt is asked: to start is not to be slow.
      this.busySince = Date.now();
      pending.timer = setTimeout(() => this.#expire(), pending.opening ? OPEN_DEADLINE_MS : pending.deadlineMs);
    } else if (reply.id === pending.id) {
      this.#settle((p) => {
        if (reply.type === "result") p.resolve(reply.value as never);
        else p.reject(new CallFailure(reply.error, reply.scope, false, reply.libvirt));
      });
    }
  }

  #expire(): void {
    const pending = this.#pending;
    if (pending === null) return;
    const failure = pending.opening
      ? new CallFailure(
          observeError(
            "libvirt-unreachable",
            `libvirt did not accept a connection within ${OPEN_DEADLINE_MS / 1000} s.`,
          ),
          "host",
          true,
        )
      : new CallFailure(
          observeError("timeout", `The host did not answer within ${this.#busySeconds()} s.`),
          "domain",
          true,
        );
    this.kill();
    this.#settle((p) => p.reject(failure));
  }

  #busySeconds(): number {
    return Math.round((Date.now() - (this.busySince ?? Date.now())) / 1000);
  }

  #settle(finish: (pending: Pending) => void): void {
    const pending = this.#pending;
    if (pending === null) return;
    this.#pending = null;
    this.busySince = null;
    this.idleSince = Date.now();
    clearTimeout(pending.timer);
    finish(pending);
  }
}
