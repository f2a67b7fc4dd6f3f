/** How long to wait before a host is tried again. */

const FIRST_MS = 500;
/** Who has brought a host back waits no longer than this until its VMs are read again. */
export const LONGEST_MS = 10_000;

export class Backoff {
  #next = FIRST_MS;

  /**
   * Milliseconds until the next attempt, after one that lasted `lastedMs`. Doubles from failure to failure; an attempt that
   * held for longer than we would wait was no failure of the whole, and the count begins anew: several short outages in
   * a row do not add up. Spread by half, so that hosts that fell together do not come back in one wave.
   */
  after(lastedMs: number, random: () => number = Math.random): number {
    if (lastedMs > this.#next) this.#next = FIRST_MS;
    const wait = this.#next * (0.5 + random() / 2);
    this.#next = Math.min(this.#next * 2, LONGEST_MS);
    return wait;
  }
}
