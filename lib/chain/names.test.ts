import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkCheckpointName, checkDiskTarget, checkRecordInput } from "./names.ts";
import { orderCheckpoints } from "./order.ts";
import { arbShuffledTree } from "./testing/generators.ts";

const item = (id: string, parentId: string | null, targets = ["vda"]) => ({
  id,
  parentId,
  disks: targets.map((target) => ({ target })),
});
const codes = (list: Parameters<typeof checkRecordInput>[0], targets?: string[]) =>
  checkRecordInput(list, { targets }).map(({ field, code }) => `${field} ${code}`);

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

test("a disk's target is lower case letters and digits", () => {
  expect(checkDiskTarget("vda").ok).toBe(true);
  expect(["", "VDA", "../x", "vda;rm"].map((target) => checkDiskTarget(target).ok)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

describe("checkRecordInput", () => {
  test("takes any tree that is in topological order", () => {
    fc.assert(
      fc.property(arbShuffledTree(), (list) => {
        const input = orderCheckpoints(list).ordered.map(({ id, parentId }) => item(id, parentId));
        expect(checkRecordInput(input, { targets: ["vda"] })).toEqual([]);
      }),
    );
  });

  test("lists every offence of a list that has them all", () => {
    const list = [
      item("child", "root"),
      item("root", null),
      item("root", null),
      item(".bad", "ghost"),
      item("x", "y"),
      item("y", "x"),
      { ...item("none", null, []), createdAt: "yesterday" },
      item("twice", null, ["vda", "vda", "vdq", "NO"]),
    ];
    expect(codes(list, ["vda"])).toEqual([
      "checkpoints[3].id leading-dot",
      "checkpoints[6].createdAt illegal-time",
      "checkpoints[6].disks no-disks",
      "checkpoints[7].disks[1].target duplicate-disk",
      "checkpoints[7].disks[2].target unknown-disk",
      "checkpoints[7].disks[3].target illegal-target",
      "checkpoints[2].id duplicate",
      "checkpoints[0].parentId unsorted",
      "checkpoints[3].parentId missing-parent",
      "checkpoints[4].parentId cycle",
      "checkpoints[5].parentId cycle",
    ]);
  });

  test("refuses a list that is too long without walking it", () => {
    const list = Array.from({ length: 16_385 }, () => item("", ""));
    expect(codes(list)).toEqual(["checkpoints too-many"]);
  });
});
