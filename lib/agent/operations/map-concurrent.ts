import { within } from "./within.ts";

type Limits = { atOnce: number; slowAfterMs: number };
type Work<O> = { since: number; result: Promise<[number, O]> };

/**
 * Runs `work` on each input, at most `atOnce` at a time, and yields the results as they come, in no order. What is at
 * work for longer than `slowAfterMs` is not counted: what hangs does not keep the others waiting.
 */
export async function* mapConcurrent<I, O>(
  inputs: Iterable<I>,
  { atOnce, slowAfterMs }: Limits,
  signal: AbortSignal | undefined,
  work: (input: I) => Promise<O>,
): AsyncGenerator<O> {
  const running = new Map<number, Work<O>>();
  const first = () => Promise.race([...running.values()].map(({ result }) => result));
  let next = 0;
  for (const input of inputs) {
    if (signal?.aborted) return;
    for (;;) {
      const quick = [...running.values()].filter(({ since }) => Date.now() - since < slowAfterMs);
      const oldest = quick[0];
      if (oldest === undefined || quick.length < atOnce) break;
      const settled = await within(first(), oldest.since + slowAfterMs - Date.now());
      if (signal?.aborted) return;
      if (settled === null) continue;
      running.delete(settled[0]);
      yield settled[1];
    }
    const key = next++;
    running.set(key, { since: Date.now(), result: work(input).then((value) => [key, value]) });
  }
  while (running.size > 0 && !signal?.aborted) {
    const [done, value] = await first();
    running.delete(done);
    yield value;
  }
}
