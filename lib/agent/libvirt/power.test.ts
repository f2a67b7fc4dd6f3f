import { expect, test } from "vitest";
import { isActive, powerOf } from "./power.ts";

test.each([
  [1, "running", true],
  [3, "paused", true],
  [4, "running", true],
  [5, "shut-off", false],
  [7, "paused", true],
  [0, "unknown", false],
  [99, "unknown", false],
] as const)("libvirt's state %i is %s", (state, power, active) => {
  expect([powerOf(state), isActive(powerOf(state))]).toEqual([power, active]);
});

test("a guest that crashed and is preserved has a living QEMU: its image files are not believed", () => {
  expect(isActive(powerOf(6))).toBe(true);
});
