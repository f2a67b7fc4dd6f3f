/**
 * Hands operations to call children. One request a domain at a time, so that a hung domain costs one child at most;
 * a circuit per domain answers for it at once while it hangs, and one for the host while the daemon does.
 */
import { CallFailure, CallProcess } from "./call-process.ts";
import { Circuit } from "./circuit.ts";
import type { CallOp, CallOps } from "./ipc.ts";

const READ_DEADLINE_MS = 10_000;
const HOST_PROBE_DEADLINE_MS = 3_000;
const HOST_PAUSE_MS = 1_000;
const HOST_LONGEST_PAUSE_MS = 5_000;
/** A child busy for longer than this counts as lost for now: others wait for a fresh one instead. */
export const SLOW_AFTER_MS = 1_000;
/** A read of a domain is given up after so long where somebody waits and no further child may be made. */
const CROWDED_DEADLINE_MS = 3_000;
/** What only looks: nothing is at work in the daemon that its caller would have to look for afterwards. */
const READS: ReadonlySet<CallOp> = new Set<CallOp>(["inspect", "state", "owner", "writers", "backupLook"]);
const IDLE_EXTRA_MS = 30_000;

type Waiting = {
  op: CallOp;
  vmId: string | null;
  run: (process: Caller) => Promise<void>;
  refuse: (failure: CallFailure) => void;
};

export type CallOptions = { vmId?: string; deadlineMs?: number };
/** What the pool needs of a call child. */
export type Caller = Pick<
  CallProcess,
  "call" | "isIdle" | "isDead" | "busySince" | "idleSince" | "isRetired" | "canGiveUp" | "giveUp" | "retire" | "kill"
>;
export type MakeCaller = (uri: string, onExit: (process: Caller) => void) => Caller;
type PoolOptions = { size?: number; max?: number; makeCaller?: MakeCaller };

export class CallPool {
  readonly #uri: string;
  readonly #size: number;
  readonly #max: number;
  readonly #makeCaller: MakeCaller;
  #processes: Caller[] = [];
  /** Children that read a domain. */
  readonly #reads = new Set<Caller>();
  #queue: Waiting[] = [];
  readonly #busyDomains = new Set<string>();
  readonly #circuits = new Map<string, Circuit>();
  readonly #host = new Circuit();
  readonly #ticker: NodeJS.Timeout;
  #closed = false;
  /** Children killed or lost since the start, for the metrics. */
  lostChildren = 0;

  /** @param size children kept (one is forked in half a second of processor time); up to `max` while others are slow. */
  constructor(
    uri: string,
    { size = 4, max = 8, makeCaller = (...args) => new CallProcess(...args) }: PoolOptions = {},
  ) {
    this.#uri = uri;
    this.#makeCaller = makeCaller;
    this.#size = size;
    this.#max = max;
    this.#ticker = setInterval(() => this.#tick(), 250);
    this.#ticker.unref();
  }

  get openCircuits(): number {
    return this.#circuits.size;
  }
  get children(): number {
    return this.#processes.length;
  }

  /** Performs one read; rejects with a `CallFailure`. `vmId` makes the domain's own limits hold. */
  call<K extends CallOp>(
    op: K,
    input: CallOps[K]["input"],
    { vmId, deadlineMs = READ_DEADLINE_MS }: CallOptions = {},
  ): Promise<CallOps[K]["output"]> {
    return new Promise((resolve, reject) => {
      this.#queue.push({
        op,
        vmId: vmId ?? null,
        refuse: reject,
        run: async (process) => {
          try {
            // A domain's call says nothing of the host when it hangs: while the host's circuit is open its question goes first.
            if (vmId !== undefined && this.#host.isOpen) await this.#askHost(process);
            const value = await process.call(op, input, deadlineMs);
            this.#succeeded(vmId ?? null);
            resolve(value);
          } catch (thrown) {
            const failure = thrown as CallFailure;
            this.#failed(vmId ?? null, failure);
            reject(failure);
          }
        },
      });
      this.#dispatch();
    });
  }

  /** The daemon is back: whatever hung, ask again. */
  reset(): void {
    this.#circuits.clear();
    this.#host.succeed();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#ticker);
    for (const process of this.#processes) process.kill();
    this.#processes = [];
  }

  #succeeded(vmId: string | null): void {
    this.#host.succeed();
    if (vmId !== null) this.#circuits.delete(vmId);
  }

  #failed(vmId: string | null, failure: CallFailure): void {
    if (failure.scope === "host") {
      this.#host.fail(failure.error, HOST_PAUSE_MS, HOST_LONGEST_PAUSE_MS);
      if (vmId !== null) this.#circuits.get(vmId)?.release();
      return;
    }
    if (!failure.hung) {
      // The domain answered, if only with an error: it does not hang.
      this.#succeeded(vmId);
      return;
    }
    if (vmId === null) {
      this.#host.fail(failure.error, HOST_PAUSE_MS, HOST_LONGEST_PAUSE_MS);
      return;
    }
    const circuit = this.#circuits.get(vmId) ?? new Circuit();
    circuit.fail(failure.error);
    this.#circuits.set(vmId, circuit);
    void this.#probeHost();
  }

  /** @throws CallFailure of the host's scope when the daemon does not answer */
  async #askHost(process: Caller): Promise<void> {
    try {
      await process.call("versions", {}, HOST_PROBE_DEADLINE_MS);
    } catch (thrown) {
      const { error, scope, hung, libvirt } = thrown as CallFailure;
      // An error of its own is an answer too.
      if (scope === "host" || hung) throw new CallFailure(error, "host", hung, libvirt);
    }
    this.#host.succeed();
  }

  /** After a domain hung: is it the daemon? Then the host's circuit opens too, before the others run into it. */
  async #probeHost(): Promise<void> {
    if (this.#host.isOpen) return;
    await this.call("versions", {}, { deadlineMs: HOST_PROBE_DEADLINE_MS }).catch(() => undefined);
  }

  /** The answer to give at once because the domain or the host hangs. At most one hung domain is probed at a time. */
  #refusal(waiting: Waiting): CallFailure | null {
    const ofHost = this.#host.refusal;
    if (ofHost !== null) return new CallFailure(ofHost, "host", false);
    const circuit = waiting.vmId === null ? undefined : this.#circuits.get(waiting.vmId);
    if (circuit === undefined) return null;
    const ofDomain = circuit.refusal ?? (this.#isProbing() ? circuit.lastError : null);
    return ofDomain === null ? null : new CallFailure(ofDomain, "domain", false);
  }

  #isProbing(): boolean {
    for (const circuit of this.#circuits.values()) if (circuit.isProbing) return true;
    return false;
  }

  #dispatch(): void {
    for (const waiting of [...this.#queue]) {
      if (this.#closed) return;
      if (waiting.vmId !== null && this.#busyDomains.has(waiting.vmId)) continue;
      const refusal = this.#refusal(waiting);
      const process = refusal === null ? (this.#idleProcess() ?? this.#giveUpSlowest()) : null;
      if (refusal === null && process === null) continue;
      this.#queue.splice(this.#queue.indexOf(waiting), 1);
      if (refusal !== null) waiting.refuse(refusal);
      else if (process !== null) this.#start(waiting, process);
    }
  }

  #start(waiting: Waiting, process: Caller): void {
    const { vmId, op } = waiting;
    if (vmId !== null && READS.has(op)) this.#reads.add(process);
    this.#host.enter();
    if (vmId !== null) {
      this.#circuits.get(vmId)?.enter();
      this.#busyDomains.add(vmId);
    }
    void waiting.run(process).finally(() => {
      this.#reads.delete(process);
      if (vmId !== null) this.#busyDomains.delete(vmId);
      this.#dispatch();
    });
  }

  /** Where domains that hang hold every child: the one that is read the longest fails early, and a new child is made. */
  #giveUpSlowest(): Caller | null {
    const since = (process: Caller): number => process.busySince ?? Number.POSITIVE_INFINITY;
    const [slowest] = [...this.#reads]
      .filter((process) => process.canGiveUp && Date.now() - since(process) > CROWDED_DEADLINE_MS)
      .sort((a, b) => since(a) - since(b));
    slowest?.giveUp();
    return slowest === undefined ? null : this.#idleProcess();
  }

  #idleProcess(): Caller | null {
    const idle = this.#processes.find((p) => p.isIdle);
    if (idle !== undefined) return idle;
    const now = Date.now();
    const alive = this.#processes.filter((p) => !p.isDead);
    const slow = alive.filter((p) => p.busySince !== null && now - p.busySince > SLOW_AFTER_MS).length;
    if (alive.length >= Math.min(this.#size + slow, this.#max)) return null;
    const process = this.#makeCaller(this.#uri, (gone) => {
      this.#processes = this.#processes.filter((p) => p !== gone);
      if (this.#closed) return;
      if (!gone.isRetired) this.lostChildren += 1;
      this.#dispatch();
    });
    this.#processes.push(process);
    return process;
  }

  #tick(): void {
    this.#dispatch();
    const extra = this.#processes.slice(this.#size).filter((p) => p.isIdle);
    for (const process of extra) {
      if (Date.now() - process.idleSince > IDLE_EXTRA_MS) process.retire();
    }
  }
}
