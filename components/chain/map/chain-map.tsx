"use client";
import "@xyflow/react/dist/base.css";
import { Background, Controls, type Edge, type Node, Position, ReactFlow, type ReactFlowInstance } from "@xyflow/react";
import { type KeyboardEvent, type MouseEvent, startTransition, useEffect, useMemo, useRef, useState } from "react";
import { MatchLegend } from "#components/patterns/match-mark.tsx";
import { foldRuns } from "#graph/fold.ts";
import { type GraphLayout, layoutGraph, NODE_SIZES } from "#graph/layout.ts";
import type { CellState } from "#graph/matrix.ts";
import type { GraphNode } from "#graph/types.ts";
import type { BackupsByCheckpoint } from "../backups.ts";
import { type CheckpointData, CheckpointNode } from "./checkpoint-node.tsx";
import { type FoldData, FoldNode } from "./fold-node.tsx";
import { LaneEdge } from "./lane-edge.tsx";

type FlowNode = Node<CheckpointData, "checkpoint"> | Node<FoldData, "fold">;
const NODE_TYPES = { checkpoint: CheckpointNode, fold: FoldNode };
const EDGE_TYPES = { lane: LaneEdge };
const { width, height } = NODE_SIZES.full;
// Given, not measured: culled nodes can then have edges without ever being mounted.
const HANDLES = [
  { type: "source" as const, position: Position.Top, x: width / 2, y: 0, width: 1, height: 1 },
  { type: "target" as const, position: Position.Bottom, x: width / 2, y: height, width: 1, height: 1 },
];
const STAY_PUT = { zoom: 1 } as const;
/** Rows on both sides of where the map opens: more than any screen shows. */
const FIRST_ROWS = 60;

type Props = {
  nodes: GraphNode[];
  cellsOf: (checkpointId: string) => { disk: string; state: CellState }[];
  backups: BackupsByCheckpoint;
  selected: string | null;
  onSelect: (id: string | null) => void;
  past: boolean;
};

/** The chain as lanes, newest on top. Looks only: nothing can be dragged, connected or deleted. */
export default function ChainMap({ nodes, cellsOf, backups, selected, onSelect, past }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const flow = useRef<ReactFlowInstance<FlowNode> | null>(null);
  const wantsFocus = useRef(false);
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(new Set());

  const layout = useMemo(
    () => layoutGraph(foldRuns(nodes, { selected, expanded }), { newestFirst: true }),
    [nodes, selected, expanded],
  );
  const isDrawn = useIsDrawn();
  const placed = useMemo(() => (isDrawn ? layout : opening(layout, selected)), [isDrawn, layout, selected]);
  const flowNodes = useMemo(
    () =>
      placed.nodes.map(({ id, item, x, y }): FlowNode => {
        const place = { id, position: { x, y }, width, height, handles: HANDLES };
        return item.type === "fold"
          ? { ...place, type: "fold", data: { fold: item, past } }
          : {
              ...place,
              type: "checkpoint",
              data: {
                node: item.node,
                cells: cellsOf(item.node.id),
                backup: backups.get(item.node.id) ?? null,
                isSelected: item.node.id === selected,
                past,
              },
            };
      }),
    [placed, cellsOf, backups, selected, past],
  );
  const flowEdges = useMemo(
    () =>
      placed.edges.map(
        ({ id, from, to }): Edge => ({
          id,
          source: from,
          target: to,
          type: "lane",
          focusable: false,
          data: { halfWidth: width / 2, halfHeight: height / 2 },
        }),
      ),
    [placed],
  );

  const show = (x: number, y: number) => {
    const box = frame.current?.getBoundingClientRect();
    const view = flow.current?.getViewport();
    if (!box || !view) return;
    const left = x * view.zoom + view.x;
    const top = y * view.zoom + view.y;
    const isInside =
      left >= 0 && top >= 0 && left + width * view.zoom <= box.width && top + height * view.zoom <= box.height;
    if (!isInside) void flow.current?.setCenter(x + width / 2, y + height / 2, { zoom: view.zoom });
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: follows the selection, not every new layout
  useEffect(() => {
    const chosen = layout.nodes.find(({ id }) => id === selected);
    if (!chosen) return;
    show(chosen.x, chosen.y);
    if (!wantsFocus.current) return;
    const timer = requestAnimationFrame(() => {
      frame.current?.querySelector<HTMLElement>(`[data-checkpoint="${CSS.escape(chosen.id)}"]`)?.focus();
      wantsFocus.current = false;
    });
    return () => cancelAnimationFrame(timer);
  }, [selected]);

  const unfold = (id: string) => setExpanded((old) => new Set([...old, id]));
  const onClick = (event: MouseEvent) => {
    const button = (event.target as HTMLElement).closest<HTMLElement>("[data-checkpoint],[data-fold]");
    const { checkpoint, fold } = button?.dataset ?? {};
    if (fold) unfold(fold);
    else if (checkpoint) onSelect(checkpoint === selected ? null : checkpoint);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = layout.nodes.findIndex(({ id }) => id === selected);
    const plain = layout.nodes.filter(({ item }) => item.type === "node");
    const next =
      step !== undefined
        ? row < 0
          ? plain[0]
          : nextPlain(layout.nodes, row, step)
        : event.key === "Home"
          ? plain[0]
          : event.key === "End"
            ? plain.at(-1)
            : undefined;
    if (!next) return;
    event.preventDefault();
    wantsFocus.current = true;
    onSelect(next.id);
  };

  return (
    <div data-view="map">
      <div
        ref={frame}
        role="group"
        aria-label="Map of checkpoints, newest on top. Arrow keys move between checkpoints; the list shows the same."
        tabIndex={selected === null ? 0 : -1}
        onClickCapture={onClick}
        onKeyDown={onKeyDown}
        className="h-96 overflow-hidden xl:h-[max(24rem,calc(100dvh-17rem))] rounded-lg border border-line bg-surface"
      >
        <ReactFlow<FlowNode>
          nodes={flowNodes}
          edges={flowEdges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onInit={(instance) => {
            flow.current = instance;
            const box = frame.current?.getBoundingClientRect();
            const zoom = box && box.width < width + 40 ? 0.85 : 1;
            const chosen = layout.nodes.find(({ id }) => id === selected);
            if (chosen) void instance.setCenter(chosen.x + width / 2, chosen.y + height / 2, STAY_PUT);
            else void instance.setViewport({ x: 28, y: 24, zoom });
          }}
          onlyRenderVisibleElements
          minZoom={0.35}
          maxZoom={1.5}
          panOnScroll
          zoomOnDoubleClick={false}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          deleteKeyCode={null}
          selectionKeyCode={null}
          multiSelectionKeyCode={null}
          disableKeyboardA11y
          translateExtent={[
            [-400, -200],
            [Math.max(layout.width, 800) + 400, layout.height + 400],
          ]}
        >
          <Background color="var(--line)" gap={24} size={1} />
          <Controls
            position="top-right"
            showInteractive={false}
            fitViewOptions={{ maxZoom: 1 }}
            className="map-controls"
          />
        </ReactFlow>
      </div>
      <div className="mt-2">
        <MatchLegend past={past} />
      </div>
    </div>
  );
}

/** False until the first picture was handed to the browser. */
function useIsDrawn(): boolean {
  const [isDrawn, setDrawn] = useState(false);
  useEffect(() => startTransition(() => setDrawn(true)), []);
  return isDrawn;
}

/** What can be seen when the map opens: thousands of nodes that stand outside of it would hold up the first picture. */
function opening(layout: GraphLayout, selected: string | null): Pick<GraphLayout, "nodes" | "edges"> {
  const at = Math.max(
    0,
    layout.nodes.findIndex(({ id }) => id === selected),
  );
  const isNear = (row: number) => Math.abs(row - at) <= FIRST_ROWS;
  return {
    nodes: layout.nodes.filter(({ row }) => isNear(row)),
    edges: layout.edges.filter(({ fromRow, toRow }) => isNear(fromRow) && isNear(toRow)),
  };
}

/** The next checkpoint in a direction, over folds. */
function nextPlain<T extends { id: string; item: { type: string } }>(nodes: T[], from: number, step: number) {
  for (let row = from + step; row >= 0 && row < nodes.length; row += step) {
    const node = nodes[row];
    if (node?.item.type === "node") return node;
  }
  return undefined;
}
