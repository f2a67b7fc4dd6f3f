import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignLanes, type LaneItem, lanesThrough } from "./lanes.ts";

/** Each item's parent is any earlier item or none. */
const forest = fc.array(fc.option(fc.nat(), { nil: null, freq: 8 }), { maxLength: 60 }).map((picks) =>
  picks.map(
    (pick, index): LaneItem => ({
      id: `n${index}`,
      parentId: pick === null || index === 0 ? null : `n${pick % index}`,
    }),
  ),
);

describe("assignLanes", () => {
  test("keeps a straight chain in one lane", () => {
    const items = Array.from(
      { length: 5 },
      (_, i): LaneItem => ({ id: `${i}`, parentId: i === 0 ? null : `${i - 1}` }),
    );
    const lanes = assignLanes(items);
    expect(lanes.laneCount).toBe(1);
    expect(lanes.rows.map(({ lane }) => lane)).toEqual([0, 0, 0, 0, 0]);
    expect(lanes.edges).toHaveLength(4);
  });

  test("lets the child on the current line continue the lane and gives a freed lane away again", () => {
    const items: LaneItem[] = [
      { id: "root", parentId: null, current: true },
      { id: "side", parentId: "root" },
      { id: "main", parentId: "root", current: true },
      { id: "side2", parentId: "main" },
      { id: "tip", parentId: "main", current: true },
    ];
    const lanes = assignLanes(items);
    expect(Object.fromEntries(lanes.rows.map(({ id, lane }) => [id, lane]))).toEqual({
      root: 0,
      side: 1,
      main: 0,
      side2: 1,
      tip: 0,
    });
    expect(lanes.laneCount).toBe(2);
  });

  test("draws one edge for every parent and never runs a line through a foreign node", () => {
    fc.assert(
      fc.property(forest, (items) => {
        const { rows, edges } = assignLanes(items);
        expect(rows.map(({ row }) => row)).toEqual(items.map((_, index) => index));
        expect(edges).toHaveLength(items.filter(({ parentId }) => parentId !== null).length);
        for (const edge of edges) {
          const between = rows.filter(
            ({ row, lane }) => row > edge.fromRow && row < edge.toRow && lane === edge.toLane,
          );
          expect(between).toEqual([]);
        }
      }),
    );
  });

  test("never puts two lines into one lane of one row", () => {
    fc.assert(
      fc.property(forest, (items) => {
        const { edges } = assignLanes(items);
        const taken = new Set<string>();
        for (const edge of edges) {
          for (let row = edge.fromRow + 1; row <= edge.toRow; row++) {
            const place = `${row}:${edge.toLane}`;
            expect(taken.has(place)).toBe(false);
            taken.add(place);
          }
        }
      }),
    );
  });

  test("the gutter of a window is that part of the gutter of the whole", () => {
    fc.assert(
      fc.property(forest, fc.nat(60), fc.nat(60), (items, a, b) => {
        const lanes = assignLanes(items);
        const from = Math.min(a, b, items.length);
        const to = Math.min(Math.max(a, b), items.length);
        expect(lanesThrough(lanes, from, to)).toEqual(lanesThrough(lanes, 0, items.length).slice(from, to));
      }),
    );
  });
});
