/** One look at how far something is. */
export type Sample = { atMs: number; doneBytes: number };

/** How long back counts: short enough to follow a change, long enough not to jump. */
const WINDOW_MS = 20_000;
const SHORTEST_MS = 1_000;

/** The samples with a new one; those that are too old or from before a new start fall out. */
export function addSample(samples: readonly Sample[], next: Sample): Sample[] {
  const last = samples.at(-1);
  if (last && next.doneBytes < last.doneBytes) return [next];
  if (last && next.doneBytes === last.doneBytes && next.atMs - last.atMs < SHORTEST_MS) return [...samples];
  return [...samples.filter((sample) => next.atMs - sample.atMs <= WINDOW_MS), next];
}

/** Bytes a second over the window; null: too little was seen to say. */
export function rateOf(samples: readonly Sample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.atMs - first.atMs < SHORTEST_MS) return null;
  return ((last.doneBytes - first.doneBytes) * 1000) / (last.atMs - first.atMs);
}

/** Time left in ms at that rate; null: cannot be told. */
export function timeLeftMs(rate: number | null, doneBytes: number, totalBytes: number | null): number | null {
  if (rate === null || rate <= 0 || totalBytes === null) return null;
  return (Math.max(0, totalBytes - doneBytes) * 1000) / rate;
}
