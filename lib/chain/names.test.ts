import { describe, expect, test } from "vitest";
import { checkCheckpointName } from "./names.ts";

describe("checkCheckpointName", () => {
  test.each(["cp1", "virtnbdbackup.0", "a", "-x", "_", "x".repeat(200)])("takes %s", (name) => {
    expect(checkCheckpointName(name)).toEqual({ ok: true });
  });

  test.each([
    ["", ["empty"]],
    [".hidden", ["leading-dot"]],
    ["..", ["leading-dot"]],
    ["a b", ["illegal-character"]],
    ["ä", ["illegal-character"]],
    [`.${"/".repeat(200)}`, ["too-long", "leading-dot", "illegal-character"]],
  ])("gives every reason against %j", (name, expected) => {
    const checked = checkCheckpointName(name);
    expect(checked.ok ? [] : checked.reasons.map(({ code }) => code)).toEqual(expected);
  });
});
