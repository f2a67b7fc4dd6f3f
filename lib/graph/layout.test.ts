import { describe, expect, test } from "vitest";
import { healthyInput, healthyLine, lineParents } from "#chain/testing/healthy.ts";
import { foldRuns } from "./fold.ts";
import { layoutGraph, NODE_SIZES, ZOOM_LEVELS, zoomLevelOf } from "./layout.ts";
import { graphNodes } from "./nodes.ts";
import { graphChain } from "./testing/chain.ts";

const items = (input: Parameters<typeof graphChain>[0]) => foldRuns(graphNodes(graphChain(input)), { minRun: 1e9 });

describe("layoutGraph", () => {
  test.each(ZOOM_LEVELS)("no two nodes overlap at zoom level %s", (level) => {
    const { nodes } = layoutGraph(items(healthyInput({ parents: [null, 0, 0, 1, 2, 2], targets: ["vda"] })), { level });
    for (const a of nodes) {
      for (const b of nodes) {
        if (a === b) continue;
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        expect(apart).toBe(true);
      }
    }
  });

  test("newest first is the same drawing upside down, still sorted by row", () => {
    const list = items(healthyInput({ parents: [...lineParents(6), 2], targets: ["vda"] }));
    const down = layoutGraph(list);
    const up = layoutGraph(list, { newestFirst: true });
    expect(up.nodes.map(({ id }) => id)).toEqual(down.nodes.map(({ id }) => id).reverse());
    expect(up.nodes.map(({ row }) => row)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([up.width, up.height]).toEqual([down.width, down.height]);
  });

  test("an empty chain has no extent", () => {
    expect(layoutGraph([])).toMatchObject({ nodes: [], edges: [], width: 0, height: 0 });
  });

  test("nodes have the size of their zoom level, at least 24 pixels each way to be hit", () => {
    for (const level of ZOOM_LEVELS) {
      const [node] = layoutGraph(items(healthyLine(1)), { level }).nodes;
      expect(node).toMatchObject({ width: NODE_SIZES[level].width, height: NODE_SIZES[level].height });
      expect(Math.min(NODE_SIZES[level].width, NODE_SIZES[level].height)).toBeGreaterThanOrEqual(24);
    }
    expect([1, 0.5, 0.1].map(zoomLevelOf)).toEqual(["full", "compact", "dots"]);
  });
});
