import { expect, test } from "vitest";
import { type Attempt, mayTry } from "./back-off.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const ago = (ms: number) => new Date(NOW - ms).toISOString();
const attempt = (digest: string, agoMs: number, cured: boolean): Attempt => ({ digest, endedAt: ago(agoMs), cured });

test("what was never tried may be tried at once", () => {
  expect(mayTry([], "a", NOW)).toEqual({ may: true });
});

test("what did not help on this state of the host is never tried on it again, however long ago", () => {
  const attempts = [attempt("b", 1_000_000, true), attempt("a", 90 * 86_400_000, false)];
  expect(mayTry(attempts, "a", NOW)).toEqual({ may: false, againInMs: null });
  expect(mayTry(attempts, "c", NOW)).toEqual({ may: true });
});

test("a state that was cured and came back is cured again", () => {
  expect(mayTry([attempt("a", 60_000, true)], "a", NOW)).toEqual({ may: true });
});

test("after failures on other states the pauses grow, and a cure ends them", () => {
  const waits = [1, 2, 3, 4, 9].map((n) => {
    const failed = Array.from({ length: n }, (_, i) => attempt(`x${i}`, 3_000_000 * i, false));
    const answer = mayTry(failed, "new", NOW);
    return answer.may ? 0 : answer.againInMs;
  });
  expect(waits).toEqual([5_000, 20_000, 80_000, 320_000, 900_000]);
  expect(mayTry([attempt("y", 1, true), attempt("x", 2, false)], "new", NOW)).toEqual({ may: true });
});

test("cures that something takes back again and again are bounded in any ten minutes", () => {
  const flapping = Array.from({ length: 5 }, (_, i) => attempt("a", 60_000 * i, true));
  expect(mayTry(flapping, "a", NOW)).toEqual({ may: false, againInMs: 6 * 60_000 });
  expect(mayTry(flapping.slice(0, 4), "a", NOW)).toEqual({ may: true });
});
