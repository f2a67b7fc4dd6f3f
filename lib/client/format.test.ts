import { expect, test } from "vitest";
import { formatAge, formatExact, formatPercent, formatRelative, toIsoUtc } from "./format.ts";

test("an age has one unit and never rounds up into the next", () => {
  expect([59_000, 61_000, 3_599_000, 47 * 3_600_000, 49 * 3_600_000].map(formatAge)).toEqual([
    "59 s",
    "1 min",
    "59 min",
    "47 h",
    "2 d",
  ]);
});

test("relative, exact and copied time are the same moment", () => {
  const iso = "2026-03-04T05:06:07.890Z";
  expect(formatRelative(iso, Date.parse(iso) + 300_000)).toBe("5 min ago");
  expect(formatRelative(iso, Date.parse(iso) - 7_200_000)).toBe("in 2 h");
  expect(formatExact(iso)).toBe("2026-03-04 05:06:07 UTC");
  expect(toIsoUtc("2026-03-04T06:06:07+01:00")).toBe("2026-03-04T05:06:07Z");
});

test("a share of nothing is 0 %, small shares keep their digits", () => {
  expect([formatPercent(1, 0), formatPercent(62, 1000), formatPercent(1, 1000), formatPercent(1, 2)]).toEqual([
    "0 %",
    "6.2 %",
    "0.10 %",
    "50 %",
  ]);
});
