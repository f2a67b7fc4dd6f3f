import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { healthyLine } from "#chain/testing/healthy.ts";
import { foldRuns } from "./fold.ts";
import { layoutGraph } from "./layout.ts";
import { graphNodes } from "./nodes.ts";
import { graphChain } from "./testing/chain.ts";
import { visibleEdges, visibleNodes, visibleRange } from "./window.ts";

const layout = layoutGraph(foldRuns(graphNodes(graphChain(healthyLine(300))), { minRun: 1e9 }), { level: "dots" });

describe("culling", () => {
  test("finds exactly the nodes that touch the rectangle", () => {
    fc.assert(
      fc.property(fc.integer({ min: -500, max: 12_000 }), fc.nat(3000), (y, height) => {
        const rect = { x: -10, y, width: 500, height };
        const expected = layout.nodes.filter((node) => node.y <= y + height && node.y + node.height >= y);
        expect(visibleNodes(layout, rect, 1000)).toEqual(expected);
      }),
    );
  });

  test("never gives more nodes than the limit and keeps the middle", () => {
    const seen = visibleNodes(layout, { x: 0, y: 0, width: 100, height: layout.height }, 50);
    expect(seen).toHaveLength(50);
    expect(seen[0]?.row).toBe(125);
  });

  test("keeps edges that pass through", () => {
    const seen = visibleNodes(layout, { x: 0, y: 100, width: 100, height: 100 });
    const rows = seen.map(({ row }) => row);
    expect(visibleEdges(layout, seen).length).toBe(rows.length + 1);
    expect(visibleEdges(layout, [])).toEqual([]);
  });
});

describe("visibleRange", () => {
  test("covers the viewport, stays within the list and is empty for an empty one", () => {
    expect(visibleRange({ offset: 0, viewport: 100, itemSize: 10, count: 0 })).toEqual({ from: 0, to: 0 });
    fc.assert(
      fc.property(fc.nat(5000), fc.integer({ min: 1, max: 900 }), fc.nat(400), (offset, viewport, count) => {
        const { from, to } = visibleRange({ offset, viewport, itemSize: 20, count, overscan: 2 });
        expect(from).toBeGreaterThanOrEqual(0);
        expect(to).toBeLessThanOrEqual(count);
        expect(to - from).toBeLessThanOrEqual(Math.ceil(viewport / 20) + 6);
        for (let index = 0; index < count; index++) {
          const inSight = index * 20 < offset + viewport && (index + 1) * 20 > offset;
          if (inSight) expect(index >= from && index < to).toBe(true);
        }
      }),
    );
  });
});
