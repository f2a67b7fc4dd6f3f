import { expect, test } from "vitest";
import { safeNext } from "./url-state.ts";

test.each([
  ["/vms/1?view=list#x", "/vms/1?view=list#x"],
  ["/", "/"],
])("a path on this site is kept: %s", (next, expected) => {
  expect(safeNext(next)).toBe(expected);
});

test.each([
  "https://evil.example/x",
  "//evil.example",
  "/\\evil.example",
  "/\t/evil.example",
  "javascript:alert(1)",
  "vms",
  "",
  null,
])("anything that could leave this site becomes the fleet: %j", (next) => {
  expect(safeNext(next)).toBe("/vms");
});
