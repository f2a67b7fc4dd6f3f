import { afterEach, expect, test, vi } from "vitest";
import { SCENARIOS } from "./scenarios/index.ts";
import { findTool, until } from "./tools.ts";

afterEach(() => vi.unstubAllEnvs());

test("a tool is found in the directories of daemons, too, and one that is nowhere is null", () => {
  vi.stubEnv("PATH", "/nowhere");
  expect(findTool("virsh-that-nobody-has")).toBeNull();
});

test("waiting ends with what was waited for, not silently", async () => {
  await expect(until("the moon", 30, async () => false)).rejects.toThrow(/30 ms: the moon/);
  await expect(until("the moon", 30, async () => 0)).resolves.toBe(0);
});

test("scenario names are unique, and one that cannot tell expects no finding", () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  for (const { cannotTell, expected } of SCENARIOS) if (cannotTell) expect(expected).toEqual([]);
});
