import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { benchRow, figure, printTable } from "./table.ts";

beforeEach(() => {
  vi.spyOn(console, "table").mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

test("a bench that misses one limit ends red, and one that holds them all does not", () => {
  const held = [
    figure("pages", 3, "ms", { most: 3 }),
    figure("frames", 60, "fps", { least: 50 }),
    benchRow("no limit", () => 0),
  ];
  printTable(held);
  expect(process.exitCode).toBeUndefined();
  printTable([...held, figure("frames", 49, "fps", { least: 50 })]);
  expect(process.exitCode).toBe(1);
});
