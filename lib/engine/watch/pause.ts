/** The time between two turns of a loop, which an event may cut short. */
import { setTimeout as delay } from "node:timers/promises";

export class Pause {
  #isOver = false;
  #wake: () => void = () => {};

  /** A turn begins: what was asked for until now is done by it. */
  begin(): void {
    this.#isOver = false;
  }

  /** The next turn is due now; asked for during a turn, right after it. Many that ask are one turn. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** @throws the signal's reason when it aborts */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#isOver) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await delay(ms, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => {});
    signal.throwIfAborted();
  }
}
