/** Rows and lanes to pixels. Sizes are fixed for each zoom level, so that culling needs no measuring. */
import type { FoldItem } from "./fold.ts";
import { assignLanes, type LaneEdge } from "./lanes.ts";

export const ZOOM_LEVELS = ["full", "compact", "dots"] as const;
export type ZoomLevel = (typeof ZOOM_LEVELS)[number];

export type NodeSize = { width: number; height: number; gapX: number; gapY: number };
export const NODE_SIZES: Readonly<Record<ZoomLevel, NodeSize>> = {
  full: { width: 264, height: 76, gapX: 40, gapY: 28 },
  compact: { width: 176, height: 36, gapX: 28, gapY: 20 },
  dots: { width: 24, height: 24, gapX: 16, gapY: 12 },
};

/** What can be read at a zoom factor (1 = 100 %). */
export function zoomLevelOf(zoom: number): ZoomLevel {
  if (zoom >= 0.7) return "full";
  return zoom >= 0.35 ? "compact" : "dots";
}

export type PlacedNode = {
  id: string;
  item: FoldItem;
  row: number;
  lane: number;
  x: number;
  y: number;
  width: number;
  height: number;
};
export type PlacedEdge = LaneEdge & { id: string };
export type GraphLayout = {
  level: ZoomLevel;
  /** By row, so by y. */
  nodes: PlacedNode[];
  edges: PlacedEdge[];
  laneCount: number;
  width: number;
  height: number;
};

export type LayoutOptions = {
  level?: ZoomLevel;
  /** The newest on top, as a log reads; else the root. */
  newestFirst?: boolean;
};

export function layoutGraph(items: readonly FoldItem[], options: LayoutOptions = {}): GraphLayout {
  const { level = "full", newestFirst = false } = options;
  const size = NODE_SIZES[level];
  const lanes = assignLanes(items);
  const rowOf = (row: number) => (newestFirst ? items.length - 1 - row : row);
  const nodes = lanes.rows.flatMap(({ id, row, lane }): PlacedNode[] => {
    const item = items[row];
    if (!item) return [];
    const drawn = rowOf(row);
    const x = lane * (size.width + size.gapX);
    const y = drawn * (size.height + size.gapY);
    return [{ id, item, row: drawn, lane, x, y, width: size.width, height: size.height }];
  });
  if (newestFirst) nodes.reverse();
  const edges = lanes.edges.map((edge) => ({
    ...edge,
    id: `${edge.from}→${edge.to}`,
    fromRow: rowOf(edge.fromRow),
    toRow: rowOf(edge.toRow),
  }));
  return {
    level,
    nodes,
    edges,
    laneCount: lanes.laneCount,
    width: Math.max(0, lanes.laneCount * (size.width + size.gapX) - size.gapX),
    height: Math.max(0, nodes.length * (size.height + size.gapY) - size.gapY),
  };
}
