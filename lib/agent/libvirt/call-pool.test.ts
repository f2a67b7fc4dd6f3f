/** The pool with children that only answer what the test lets them. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { observeError } from "../failure.ts";
import { type Caller, CallPool } from "./call-pool.ts";
import { CallFailure } from "./call-process.ts";
import type { CallOp } from "./ipc.ts";

/** What of a host hangs: domains by id, or the daemon. */
type Hung = { domains: Set<string>; daemon: boolean };

/** A call child as the pool sees one: what hangs fails at its deadline and costs the child. */
class StubChild implements Caller {
  isDead = false;
  isRetired = false;
  busySince: number | null = null;
  idleSince = 0;
  giveUp = (): void => undefined;
  readonly #hung: Hung;
  readonly #asked: string[];
  readonly #onExit: (child: Caller) => void;
  constructor(hung: Hung, asked: string[], onExit: (child: Caller) => void) {
    this.#hung = hung;
    this.#asked = asked;
    this.#onExit = onExit;
  }
  get isIdle(): boolean {
    return !this.isDead && this.busySince === null;
  }
  get canGiveUp(): boolean {
    return !this.isDead && this.busySince !== null;
  }
  kill(): void {
    this.isDead = true;
    this.#onExit(this);
  }
  retire(): void {
    this.isRetired = true;
    this.kill();
  }
  call = ((op: CallOp, input: { vmId?: string }, deadlineMs: number) => {
    this.busySince = Date.now();
    this.#asked.push(input.vmId === undefined ? op : `${op} ${input.vmId}`);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (!this.#hung.daemon && !this.#hung.domains.has(input.vmId ?? "")) {
      setTimeout(() => {
        this.busySince = null;
        resolve(op);
      }, 10);
      return promise;
    }
    const expire = (): void => {
      clearTimeout(timer);
      this.busySince = null;
      reject(new CallFailure(observeError("timeout", "hung"), "domain", true));
      this.kill();
    };
    const timer = setTimeout(expire, deadlineMs);
    this.giveUp = expire;
    return promise;
  }) as Caller["call"];
}

describe("call pool", () => {
  const hung: Hung = { domains: new Set(), daemon: false };
  let asked: string[];
  let pool: CallPool;
  beforeEach(() => {
    vi.useFakeTimers();
    hung.domains.clear();
    hung.daemon = false;
    asked = [];
    pool = new CallPool("test:///", { makeCaller: (_, onExit) => new StubChild(hung, asked, onExit) });
  });
  afterEach(() => {
    pool.close();
    vi.useRealTimers();
  });

  /** How a read of the domain ends, and after how long. */
  async function read(vmId: string): Promise<{ ends: string; ms: number }> {
    const at = Date.now();
    const ends = await pool.call("inspect", { vmId, qmp: true }, { vmId }).then(
      () => "answered",
      (thrown: CallFailure) => `${thrown.scope} ${thrown.error.code}`,
    );
    return { ends, ms: Date.now() - at };
  }
  /** The daemon hangs until the host's circuit is open, and is well again when its pause is over. */
  async function openHostCircuit(): Promise<void> {
    hung.daemon = true;
    const asking = expect(pool.call("versions", {}, { deadlineMs: 3_000 })).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(3_000);
    await asking;
    hung.daemon = false;
    await vi.advanceTimersByTimeAsync(1_000);
  }

  it("answers for a host that is well again although the first domain to be asked about hangs", async () => {
    await openHostCircuit();
    hung.domains.add("hung");
    const first = read("hung");
    await vi.advanceTimersByTimeAsync(100);
    const others = read("well");
    await vi.advanceTimersByTimeAsync(100);
    expect(await others).toEqual({ ends: "answered", ms: 10 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await first).ends).toBe("domain timeout");
    const next = read("well");
    await vi.advanceTimersByTimeAsync(10);
    expect((await next).ends).toBe("answered");
  });

  it("asks a daemon that hung for its version before it asks for a domain, and answers at once meanwhile", async () => {
    await openHostCircuit();
    hung.daemon = true;
    asked.length = 0;
    const [first, second] = [read("a"), read("b")];
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await second).toEqual({ ends: "host timeout", ms: 0 });
    expect(await first).toEqual({ ends: "host timeout", ms: 3_000 });
    expect(asked).toEqual(["versions"]);
    hung.daemon = false;
    await vi.advanceTimersByTimeAsync(2_000);
    const next = read("a");
    await vi.advanceTimersByTimeAsync(20);
    expect((await next).ends).toBe("answered");
  });

  it("answers for a domain within seconds while many more hang than it may have children, at one child each", async () => {
    const ids = Array.from({ length: 12 }, (_, i) => `hung${i}`);
    for (const id of ids) hung.domains.add(id);
    const failing = ids.map(read);
    const well = read("well");
    await vi.advanceTimersByTimeAsync(30_000);
    const { ends, ms } = await well;
    expect(ends).toBe("answered");
    expect(ms).toBeLessThan(5_000);
    expect(new Set((await Promise.all(failing)).map((one) => one.ends))).toEqual(new Set(["domain timeout"]));
    expect(pool.lostChildren).toBe(12);
    expect(pool.openCircuits).toBe(12);
  });

  it("gives a read its whole time while there is room", async () => {
    hung.domains.add("hung");
    const reading = read("hung");
    const well = read("well");
    await vi.advanceTimersByTimeAsync(10_000);
    expect([await reading, await well]).toEqual([
      { ends: "domain timeout", ms: 10_000 },
      { ends: "answered", ms: 10 },
    ]);
  });

  it("never gives up early what changes a domain, though a read waits", async () => {
    const ended: string[] = [];
    for (const vmId of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
      hung.domains.add(vmId);
      const input = { vmId, runtimeId: null, changes: [] };
      const changing = pool.call("change", input, { vmId, deadlineMs: 20_000 });
      void changing.catch((thrown: CallFailure) => ended.push(thrown.error.code));
    }
    await vi.advanceTimersByTimeAsync(3_000);
    const waiting = read("well");
    await vi.advanceTimersByTimeAsync(16_000);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect((await waiting).ends).toBe("answered");
    expect(ended).toHaveLength(8);
  });
});
