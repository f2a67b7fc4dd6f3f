import { describe, expect, test } from "vitest";
import { healthyInput, healthyLine, hour } from "./testing/healthy.ts";
import { childrenByParent, compareAge, currentLine, descendantsOf, newestOf } from "./tree.ts";

const forked = healthyInput({ parents: [null, 0, 1, 0, 3], targets: ["vda"] }).record;
const ids = (list: { id: string }[]) => list.map(({ id }) => id);

describe("tree", () => {
  test("children stand under their parent oldest first, and those without a known parent under null", () => {
    const children = childrenByParent([...forked.checkpoints].reverse());
    expect(ids(children.get("cp0") ?? [])).toEqual(["cp1", "cp3"]);
    const orphan = childrenByParent([{ id: "x", parentId: "ghost", createdAt: hour(0) }]);
    expect(ids(orphan.get(null) ?? [])).toEqual(["x"]);
  });

  test("the current line ends at the newest active checkpoint", () => {
    expect(ids(currentLine(forked))).toEqual(["cp0", "cp3", "cp4"]);
    const checkpoints = forked.checkpoints.map((item) =>
      item.id === "cp4" ? { ...item, state: "creating" as const } : item,
    );
    expect(ids(currentLine({ checkpoints }))).toEqual(["cp0", "cp3"]);
    expect(currentLine({ checkpoints: [] })).toEqual([]);
  });

  test("walks end in a broken tree too", () => {
    const ring = [
      { id: "a", parentId: "b", createdAt: hour(0) },
      { id: "b", parentId: "a", createdAt: hour(1) },
    ];
    expect(ids(currentLine({ checkpoints: ring }))).toEqual(["a", "b"]);
    expect(ids(descendantsOf(childrenByParent(ring), "a"))).toEqual(["b"]);
  });

  test("descendants of a deep chain come parents first without recursion", () => {
    const { checkpoints } = healthyLine(20_000, ["vda"]).record;
    const found = descendantsOf(childrenByParent(checkpoints), "cp0");
    expect(found).toHaveLength(19_999);
    expect(found.at(-1)?.id).toBe("cp19999");
    expect(newestOf(checkpoints)?.id).toBe("cp19999");
  });

  test("the same moment in another spelling is the same moment", () => {
    const a = { id: "a", parentId: null, createdAt: "2026-01-01T01:00:00+01:00" };
    const b = { id: "b", parentId: null, createdAt: "2026-01-01T00:00:00Z" };
    expect(compareAge(a, b)).toBe(-1);
  });
});
