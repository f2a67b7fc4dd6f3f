/** Runs `work` on each input, at most `limit` at a time, and yields the results as they come, in no order. */
export async function* mapConcurrent<I, O>(
  inputs: Iterable<I>,
  limit: number,
  signal: AbortSignal | undefined,
  work: (input: I) => Promise<O>,
): AsyncGenerator<O> {
  const running = new Map<number, Promise<[number, O]>>();
  let next = 0;
  for (const input of inputs) {
    if (signal?.aborted) return;
    const key = next++;
    running.set(
      key,
      work(input).then((value) => [key, value]),
    );
    if (running.size < limit) continue;
    const [done, value] = await Promise.race(running.values());
    running.delete(done);
    yield value;
  }
  while (running.size > 0 && !signal?.aborted) {
    const [done, value] = await Promise.race(running.values());
    running.delete(done);
    yield value;
  }
}
