/** Long uneventful runs become one node. What somebody came to see never folds, nor what stands right beside it. */
import type { GraphNode, Match } from "./types.ts";

export type FoldedNode = {
  type: "fold";
  /** `fold:<first>..<last>`: hand it back in `expanded` to open the run. */
  id: string;
  parentId: string | null;
  first: GraphNode;
  last: GraphNode;
  count: number;
  ids: string[];
  /** All of them alike. */
  match: Match;
  current: boolean;
};
export type PlainNode = { type: "node"; id: string; parentId: string | null; node: GraphNode; current: boolean };
export type FoldItem = PlainNode | FoldedNode;

export type FoldOptions = {
  /** Never folded, like what is right beside it. */
  selected?: string | null;
  expanded?: ReadonlySet<string>;
  /** Shorter runs stay as they are. */
  minRun?: number;
};

/** `nodes` parents first; the result is too, with parent ids that point at the fold where the parent is inside one. */
export function foldRuns(nodes: readonly GraphNode[], options: FoldOptions = {}): FoldItem[] {
  const { selected = null, expanded = new Set<string>(), minRun = 4 } = options;
  const children = new Map<string, GraphNode[]>(nodes.map((node) => [node.id, []]));
  for (const node of nodes) if (node.parentId !== null) children.get(node.parentId)?.push(node);
  const kept = keptIds(nodes, children, selected);
  const foldOf = new Map<string, FoldedNode>();
  for (const run of runsOf(nodes, children, kept)) {
    const fold = foldedNode(run);
    if (!fold || run.length < minRun || expanded.has(fold.id)) continue;
    for (const id of fold.ids) foldOf.set(id, fold);
  }
  const parentOf = (parentId: string | null) => (parentId === null ? null : (foldOf.get(parentId)?.id ?? parentId));
  const items: FoldItem[] = [];
  for (const node of nodes) {
    const fold = foldOf.get(node.id);
    if (!fold) {
      items.push({ type: "node", id: node.id, parentId: parentOf(node.parentId), node, current: node.current });
    } else if (fold.first === node) {
      items.push({ ...fold, parentId: parentOf(node.parentId) });
    }
  }
  return items;
}

function foldedNode(run: readonly GraphNode[]): FoldedNode | null {
  const first = run[0];
  const last = run.at(-1);
  if (!first || !last) return null;
  return {
    type: "fold",
    id: `fold:${first.id}..${last.id}`,
    parentId: first.parentId,
    first,
    last,
    count: run.length,
    ids: run.map(({ id }) => id),
    match: first.match,
    current: first.current,
  };
}

/**
 * Root, newest, ends, forks, findings, selection and what only one witness knows; plus neighbours. The many checkpoints
 * of a disk that was replaced or rewound say nothing each: the finding stands elsewhere, and they fold as differing.
 */
function keptIds(
  nodes: readonly GraphNode[],
  children: ReadonlyMap<string, GraphNode[]>,
  selected: string | null,
): Set<string> {
  const kept = new Set<string>();
  for (const node of nodes) {
    const below = children.get(node.id) ?? [];
    const root = node.parentId === null || !children.has(node.parentId);
    const oneSided = node.match === "record-only" || node.match === "host-only";
    const plain = !oneSided && node.record?.state === "active";
    const event = !plain || node.findings.length > 0 || root || below.length !== 1 || node.newest;
    if (!event && node.id !== selected) continue;
    kept.add(node.id);
    if (node.parentId !== null) kept.add(node.parentId);
    for (const child of below) kept.add(child.id);
  }
  return kept;
}

/** Longest lines of nodes that are not kept, each the only child of the one before, all with the same match. */
function runsOf(
  nodes: readonly GraphNode[],
  children: ReadonlyMap<string, GraphNode[]>,
  kept: ReadonlySet<string>,
): GraphNode[][] {
  const runs: GraphNode[][] = [];
  const taken = new Set<string>();
  for (const start of nodes) {
    if (kept.has(start.id) || taken.has(start.id)) continue;
    const run: GraphNode[] = [];
    let at: GraphNode | undefined = start;
    while (at && !kept.has(at.id) && !taken.has(at.id) && at.match === start.match) {
      taken.add(at.id);
      run.push(at);
      at = children.get(at.id)?.[0];
    }
    runs.push(run);
  }
  return runs;
}
