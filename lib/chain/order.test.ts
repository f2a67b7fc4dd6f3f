import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { orderCheckpoints } from "./order.ts";
import { arbShuffledTree } from "./testing/generators.ts";
import { hour } from "./testing/healthy.ts";

const node = (id: string, parentId: string | null, at: number) => ({ id, parentId, createdAt: hour(at), sequence: at });
const idsOf = (list: { id: string }[]) => list.map(({ id }) => id);

describe("orderCheckpoints", () => {
  test("any tree in any insertion order comes out parents first, complete and once", () => {
    fc.assert(
      fc.property(arbShuffledTree(), fc.boolean(), (list, byAge) => {
        const result = orderCheckpoints(list, { byAge });
        expect(result.ok).toBe(true);
        expect(idsOf(result.ordered).sort()).toEqual(idsOf(list).sort());
        const above = new Set<string>();
        for (const { id, parentId } of result.ordered) {
          if (parentId !== null) expect(above.has(parentId)).toBe(true);
          above.add(id);
        }
      }),
    );
  });

  test("the order does not depend on the order of insertion", () => {
    const twice = arbShuffledTree().chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(twice, ([a, b]) => {
        expect(idsOf(orderCheckpoints(a).ordered)).toEqual(idsOf(orderCheckpoints(b).ordered));
      }),
    );
  });

  test("the current line comes whole before any side branch", () => {
    const list = [node("a", null, 0), node("b", "a", 1), node("c", "b", 2), node("d", "a", 3), node("e", "d", 4)];
    expect(idsOf(orderCheckpoints(list).ordered)).toEqual(["a", "d", "e", "b", "c"]);
    expect(idsOf(orderCheckpoints(list, { byAge: true }).ordered)).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("without sequence the creation time decides, then the id", () => {
    const list = [
      { id: "z", parentId: null, createdAt: hour(1) },
      { id: "y", parentId: null, createdAt: hour(2) },
      { id: "x", parentId: null, createdAt: hour(2) },
    ];
    expect(idsOf(orderCheckpoints(list, { byAge: true }).ordered)).toEqual(["z", "x", "y"]);
  });

  test("lists every offence at once and still orders what can be ordered", () => {
    const list = [
      node("lost", "ghost", 0),
      node("a", "c", 1),
      node("b", "a", 2),
      node("c", "b", 3),
      node("self", "self", 4),
      node("tail", "c", 5),
      node("tail", "c", 5),
    ];
    const result = orderCheckpoints(list);
    expect(result).toMatchObject({
      ok: false,
      offences: [
        { kind: "duplicate", id: "tail", count: 2 },
        { kind: "missing-parent", id: "lost", parentId: "ghost" },
        { kind: "cycle", ids: ["a", "b", "c"] },
        { kind: "cycle", ids: ["self"] },
      ],
    });
    expect(idsOf(result.ordered).sort()).toEqual(["a", "b", "c", "lost", "self", "tail"]);
    expect(idsOf(result.ordered).indexOf("a")).toBeLessThan(idsOf(result.ordered).indexOf("tail"));
  });

  test("never throws, whatever parents are named", () => {
    const any = fc.array(fc.tuple(fc.nat(8), fc.option(fc.nat(10), { nil: null })));
    fc.assert(
      fc.property(any, (pairs) => {
        const list = pairs.map(([id, parent], at) => node(`${id}`, parent === null ? null : `${parent}`, at));
        const result = orderCheckpoints(list);
        expect(new Set(idsOf(result.ordered))).toEqual(new Set(idsOf(list)));
        expect(result.ordered).toHaveLength(new Set(idsOf(list)).size);
      }),
    );
  });

  test("a chain of 20,000, handed in backwards, does not overflow the stack", () => {
    const list = Array.from({ length: 20_000 }, (_, at) => node(`cp${at}`, at === 0 ? null : `cp${at - 1}`, at));
    expect(orderCheckpoints([...list].reverse()).ordered).toEqual(list);
    const ring = [...list.slice(1), node("cp0", "cp19999", 0)];
    expect(orderCheckpoints(ring)).toMatchObject({ ok: false, offences: [{ kind: "cycle" }] });
  });
});
