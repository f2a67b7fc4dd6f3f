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
