import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { mapConcurrent } from "./map-concurrent.ts";

const LIMITS = { atOnce: 2, slowAfterMs: 1_000 };

describe("work on many inputs", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const after = (ms: number): Promise<number> => new Promise((resolve) => setTimeout(resolve, ms, ms));

  async function results(inputs: number[], signal?: AbortSignal): Promise<{ value: number; at: number }[]> {
    const began = Date.now();
    const seen: { value: number; at: number }[] = [];
    for await (const value of mapConcurrent(inputs, LIMITS, signal, after)) {
      seen.push({ value, at: Date.now() - began });
    }
    return seen;
  }

  it("is done so many at a time, each result told as it comes", async () => {
    const seen = results([300, 100, 100, 100]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await seen).toEqual([
      { value: 100, at: 100 },
      { value: 100, at: 200 },
      { value: 300, at: 300 },
      { value: 100, at: 300 },
    ]);
  });

  it("goes on with the others while some hang, however many", async () => {
    const seen = results([10_000, 10_000, 10_000, 10_000, 50]);
    await vi.advanceTimersByTimeAsync(20_000);
    const quick = (await seen).find(({ value }) => value === 50);
    expect(quick?.at).toBe(2_050);
    expect(await seen).toHaveLength(5);
  });

  it("ends when nobody listens any more", async () => {
    const abort = new AbortController();
    const seen = results([100, 200, 300, 400], abort.signal);
    await vi.advanceTimersByTimeAsync(150);
    abort.abort();
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await seen).map(({ value }) => value)).toEqual([100]);
  });
});
