import { graphNodes } from "#graph/nodes.ts";
import type { GraphChain, GraphNode } from "#graph/types.ts";
import type { Overlay } from "./url-state.ts";

/**
 * The nodes of one overlay: both witnesses together, or the tree as one of them tells it alone.
 * How the halves stand to each other is always judged on both: `both` are the chain's nodes, where they are made already.
 */
export function overlayNodes(chain: GraphChain, overlay: Overlay, both = graphNodes(chain)): GraphNode[] {
  if (overlay === "both") return both;
  const judged = new Map(both.map((node) => [node.id, node]));
  const alone =
    overlay === "record"
      ? graphNodes({ ...chain, host: { ...chain.host, status: "never", checkpoints: null } })
      : graphNodes({ ...chain, record: { checkpoints: [] } });
  return alone.map((node) => {
    const known = judged.get(node.id);
    return known ? { ...known, parentId: node.parentId } : node;
  });
}
