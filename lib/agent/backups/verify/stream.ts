/** Work that tells of itself as it goes, as an iterator: the work ends when nobody iterates any more. */

/** @param work gets a signal of its own; what it throws ends the iteration with it */
export async function* streamOf<T>(
  signal: AbortSignal,
  work: (emit: (item: T) => void, signal: AbortSignal) => Promise<void>,
): AsyncGenerator<T> {
  const queue: T[] = [];
  const stop = new AbortController();
  let wake: (() => void) | null = null;
  let ended: { thrown: unknown } | "well" | null = null;
  const wakeUp = (): void => {
    wake?.();
    wake = null;
  };
  const emit = (item: T): void => {
    queue.push(item);
    wakeUp();
  };
  const working = work(emit, AbortSignal.any([signal, stop.signal])).then(
    () => {
      ended = "well";
      wakeUp();
    },
    (thrown: unknown) => {
      ended = { thrown };
      wakeUp();
    },
  );
  try {
    for (;;) {
      const item = queue.shift();
      if (item !== undefined) yield item;
      else if (ended !== null) break;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    if (ended !== "well" && !signal.aborted) throw (ended as { thrown: unknown }).thrown;
  } finally {
    stop.abort();
    await working;
  }
}
