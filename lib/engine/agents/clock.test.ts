import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AgentClock } from "./clock.ts";

const NOON = Date.parse("2026-01-01T12:00:00Z");
const at = (ms: number) => new Date(NOON + ms).toISOString();

beforeEach(() => void vi.useFakeTimers({ now: NOON + 60_000 }));
afterEach(() => void vi.useRealTimers());

test("one answer is enough to know how far a clock is behind, as closely as the answer was quick", () => {
  const clock = new AgentClock();
  clock.note(at(-600_000), NOON, NOON + 40);
  expect(clock.skewMs).toBeGreaterThanOrEqual(-600_040);
  expect(clock.skewMs).toBeLessThanOrEqual(-600_000);
  expect(clock.toOurs(at(-595_000), NOON)).toBe(at(5_000));
});

test("a slow answer does not spoil what a quick one told, and a clock that was set is followed", () => {
  const clock = new AgentClock();
  clock.note(at(5_010), NOON, NOON + 10);
  const known = clock.skewMs;
  clock.note(at(5_010), NOON, NOON + 30_000);
  expect(clock.skewMs).toBe(known);
  clock.note(at(20), NOON, NOON + 40);
  expect(Math.abs(clock.skewMs)).toBeLessThanOrEqual(20);
});

test("an answer without a stamp, or one that our own clock makes impossible, says nothing", () => {
  const clock = new AgentClock();
  clock.note(null, NOON, NOON + 10);
  clock.note("yesterday", NOON, NOON + 10);
  clock.note(at(-600_000), NOON, NOON - 1);
  expect(clock.skewMs).toBe(0);
});

test("what was answered was read after it was asked and not later than now, whatever the clock says", () => {
  const clock = new AgentClock();
  expect(clock.toOurs(at(-3_600_000), NOON)).toBe(at(0));
  expect(clock.toOurs(at(3_600_000), NOON)).toBe(at(60_000));
});
