/** One source, many readers: each has a bounded queue, and one that falls behind is cut off rather than fed with gaps. */
const QUEUE_LIMIT = 10_000;

type Reader<T> = { queue: T[]; wake: (() => void) | null; overrun: boolean };

export class Broadcast<T> {
  readonly #readers = new Set<Reader<T>>();
  #closed = false;

  get readers(): number {
    return this.#readers.size;
  }

  publish(item: T): void {
    for (const reader of this.#readers) {
      if (reader.queue.length >= QUEUE_LIMIT) reader.overrun = true;
      else reader.queue.push(item);
      reader.wake?.();
    }
  }

  /** Ends every reader's iteration. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.wake?.();
  }

  /** `first`, then everything published from this call on, until the signal aborts. */
  subscribe(signal: AbortSignal | undefined, first: T[] = []): AsyncGenerator<T> {
    const reader: Reader<T> = { queue: [...first], wake: null, overrun: false };
    this.#readers.add(reader);
    // Here and not in the generator: one that is never started never runs its `finally`.
    const onAbort = (): void => {
      this.#readers.delete(reader);
      reader.wake?.();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    return this.#iterate(reader, signal);
  }

  async *#iterate(reader: Reader<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
    try {
      while (!signal?.aborted) {
        const item = reader.queue.shift();
        if (item !== undefined) yield item;
        else if (this.#closed || reader.overrun) return;
        else {
          await new Promise<void>((resolve) => {
            reader.wake = resolve;
          });
          reader.wake = null;
        }
      }
    } finally {
      this.#readers.delete(reader);
    }
  }
}
