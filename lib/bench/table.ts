/** Milliseconds of one call: median and worst of `runs`, after one call to warm up. */
function measureMs(run: () => unknown, runs = 7): { medianMs: number; worstMs: number } {
  run();
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return { medianMs: times[Math.floor(runs / 2)] ?? 0, worstMs: times.at(-1) ?? 0 };
}

/** A row of a benchmark's table; `limitMs` null: no figure was promised. */
export function benchRow(what: string, run: () => unknown, limitMs: number | null = null) {
  const { medianMs, worstMs } = measureMs(run);
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    what,
    "median ms": round(medianMs),
    "worst ms": round(worstMs),
    "limit ms": limitMs ?? "",
    held: limitMs === null ? "" : worstMs <= limitMs ? "yes" : "NO",
  };
}

/** A row of a table of figures of any unit; `limit` null: nothing was promised. */
export function figure(what: string, value: number, unit: string, limit: { most: number } | { least: number } | null) {
  const digits = Math.abs(value) < 10 ? 1 : 0;
  const shown = limit === null ? "" : "most" in limit ? `≤ ${limit.most}` : `≥ ${limit.least}`;
  const held = limit === null || ("most" in limit ? value <= limit.most : value >= limit.least);
  return {
    what,
    figure: Number(value.toFixed(digits)),
    unit,
    limit: shown,
    held: limit === null ? "" : held ? "yes" : "NO",
  };
}
export type Figure = ReturnType<typeof figure>;

/** Prints the table. A limit that is missed ends the run red, for whoever reads only its exit code. */
export function printTable(rows: readonly { held: string }[]): void {
  console.table(rows);
  if (rows.some(({ held }) => held === "NO")) process.exitCode = 1;
}

/** The value below which the share `q` of the samples lies. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Milliseconds that `run` took, and what it answered. */
export async function timed<T>(run: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const began = performance.now();
  const value = await run();
  return { ms: performance.now() - began, value };
}
