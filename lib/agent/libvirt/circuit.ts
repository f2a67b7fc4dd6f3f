/** Remembers what hung, so that one dead domain or daemon does not cost a child for every question about it. */
import type { ObserveError } from "#chain/model.ts";

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;

type Open = { error: ObserveError; until: number; pauseMs: number; probing: boolean };

/**
 * closed: questions pass. open: they are answered at once with the error that opened it. After the pause one
 * question passes as the probe; its success closes the circuit, its failure opens it for twice as long.
 */
export class Circuit {
  #open: Open | null = null;
  readonly #now: () => number;
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The error to answer with at once; null: ask. */
  get refusal(): ObserveError | null {
    if (this.#open === null) return null;
    return this.#open.probing || this.#now() < this.#open.until ? this.#open.error : null;
  }

  get lastError(): ObserveError | null {
    return this.#open?.error ?? null;
  }

  /** The caller asks now; while the circuit is open that makes it the probe. */
  enter(): void {
    if (this.#open !== null) this.#open.probing = true;
  }

  get isProbing(): boolean {
    return this.#open?.probing ?? false;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  succeed(): void {
    this.#open = null;
  }

  /** The probe ended without saying anything about the thing itself: the next question probes again. */
  release(): void {
    if (this.#open !== null) this.#open.probing = false;
  }

  fail(error: ObserveError, firstPauseMs: number = FIRST_PAUSE_MS, longestMs: number = LONGEST_PAUSE_MS): void {
    const pauseMs = this.#open === null ? firstPauseMs : Math.min(this.#open.pauseMs * 2, longestMs);
    this.#open = { error, pauseMs, until: this.#now() + pauseMs, probing: false };
  }
}
