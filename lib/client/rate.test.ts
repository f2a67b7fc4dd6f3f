import { describe, expect, test } from "vitest";
import { addSample, rateOf, type Sample, timeLeftMs } from "./rate.ts";

const gather = (looks: [number, number][]) =>
  looks.reduce<Sample[]>((all, [atMs, doneBytes]) => addSample(all, { atMs, doneBytes }), []);

describe("rate", () => {
  test("follows the last twenty seconds, not the whole run", () => {
    const samples = gather([
      [0, 0],
      [10_000, 100],
      [30_000, 1_100],
      [40_000, 2_100],
    ]);
    expect(rateOf(samples)).toBe(100);
    expect(timeLeftMs(rateOf(samples), 2_100, 3_100)).toBe(10_000);
  });

  test("says nothing after a single look, when nothing moves, or without a total", () => {
    expect(rateOf(gather([[0, 50]]))).toBeNull();
    expect(timeLeftMs(0, 1, 2)).toBeNull();
    expect(timeLeftMs(10, 1, null)).toBeNull();
  });

  test("a count that fell is a new start, never a negative rate", () => {
    expect(
      gather([
        [0, 900],
        [5_000, 10],
      ]),
    ).toEqual([{ atMs: 5_000, doneBytes: 10 }]);
  });
});
