/** What of a large drawing is in sight. */
import type { GraphLayout, PlacedEdge, PlacedNode } from "./layout.ts";

/** Half open: `from` is in, `to` is not. */
export type Range = { from: number; to: number };

/** Indices of equally sized items that a viewport shows, `overscan` more on either side. */
export function visibleRange(input: {
  offset: number;
  viewport: number;
  itemSize: number;
  count: number;
  overscan?: number;
}): Range {
  const { offset, viewport, itemSize, count, overscan = 4 } = input;
  if (count <= 0 || itemSize <= 0 || viewport <= 0) return { from: 0, to: 0 };
  const clamp = (value: number) => Math.min(count, Math.max(0, value));
  const from = clamp(Math.floor(offset / itemSize) - overscan);
  return { from, to: Math.max(from, clamp(Math.ceil((offset + viewport) / itemSize) + overscan)) };
}

export type Rect = { x: number; y: number; width: number; height: number };

/**
 * Nodes that touch the rectangle, at most `limit` of them: those nearest to its middle stay. Nodes are sorted by y,
 * so that only the rows in sight are looked at.
 */
export function visibleNodes(layout: GraphLayout, rect: Rect, limit = 250): PlacedNode[] {
  const { nodes } = layout;
  const seen: PlacedNode[] = [];
  for (let index = firstBelow(nodes, rect.y); index < nodes.length; index++) {
    const node = nodes[index];
    if (!node || node.y > rect.y + rect.height) break;
    if (node.x <= rect.x + rect.width && node.x + node.width >= rect.x) seen.push(node);
  }
  if (seen.length <= limit) return seen;
  const middle = rect.y + rect.height / 2;
  const distance = (node: PlacedNode) => Math.abs(node.y + node.height / 2 - middle);
  return seen
    .sort((a, b) => distance(a) - distance(b))
    .slice(0, limit)
    .sort((a, b) => a.row - b.row);
}

/** Edges that pass through the rows of the given nodes, also those whose ends are both out of sight. */
export function visibleEdges(layout: GraphLayout, nodes: readonly PlacedNode[]): PlacedEdge[] {
  const first = nodes[0]?.row;
  const last = nodes.at(-1)?.row;
  if (first === undefined || last === undefined) return [];
  return layout.edges.filter((edge) => {
    const top = Math.min(edge.fromRow, edge.toRow);
    return top <= last && Math.max(edge.fromRow, edge.toRow) >= first;
  });
}

/** Index of the first node whose lower edge is at or below `y`. */
function firstBelow(nodes: readonly PlacedNode[], y: number): number {
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const node = nodes[middle];
    if (node && node.y + node.height < y) low = middle + 1;
    else high = middle;
  }
  return low;
}
