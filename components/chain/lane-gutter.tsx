import type { LaneEdge, Lanes } from "#graph/lanes.ts";
import type { Match } from "#graph/types.ts";

const LANE_PX = 14;
const PAD_PX = 10;
const MOST_LANES = 12;

/** Lines of one row: which lanes run through it, where its own line comes from and goes to. */
export type GutterRow = { lane: number; through: number[]; hasParent: boolean; childLanes: number[] };

/** Edges by the rows where they begin and end, so that a row finds its own in constant time. */
export function indexEdges(lanes: Lanes): { from: Map<number, LaneEdge[]>; to: Set<number> } {
  return { from: Map.groupBy(lanes.edges, (edge) => edge.fromRow), to: new Set(lanes.edges.map((edge) => edge.toRow)) };
}

export const gutterWidth = (laneCount: number): number => PAD_PX * 2 + (Math.min(laneCount, MOST_LANES) - 1) * LANE_PX;

const STROKE: Record<Match, string> = {
  both: "var(--ok)",
  differs: "var(--bad)",
  "record-only": "var(--warn)",
  "host-only": "var(--info)",
  unknown: "var(--ink-3)",
};

/** One row of the git-style gutter; newest on top, so that a line to a child leaves upwards. */
export function LaneGutter(props: { row: GutterRow; match: Match; height: number; laneCount: number }) {
  const { row, match, height } = props;
  const middle = height / 2;
  const x = (lane: number) => PAD_PX + Math.min(lane, MOST_LANES - 1) * LANE_PX;
  return (
    <svg width={gutterWidth(props.laneCount)} height={height} aria-hidden="true" className="shrink-0 overflow-visible">
      <g fill="none" stroke="var(--line-strong)" strokeWidth="1.5">
        {row.through
          .filter((lane) => lane !== row.lane)
          .map((lane) => (
            <path key={lane} d={`M${x(lane)} 0V${height}`} />
          ))}
        {row.hasParent && <path d={`M${x(row.lane)} ${middle}V${height}`} />}
        {row.childLanes.map((lane) => (
          <path
            key={lane}
            d={
              lane === row.lane
                ? `M${x(lane)} ${middle}V0`
                : `M${x(row.lane)} ${middle}H${x(lane) - Math.sign(lane - row.lane) * 6}Q${x(lane)} ${middle} ${x(lane)} ${middle - 6}V0`
            }
          />
        ))}
      </g>
      <circle
        cx={x(row.lane)}
        cy={middle}
        r="4.25"
        fill={match === "both" ? STROKE.both : "var(--bg)"}
        stroke={STROKE[match]}
        strokeWidth="2"
        strokeDasharray={match === "record-only" ? "3 2" : match === "host-only" ? "1.5 2" : undefined}
      />
    </svg>
  );
}
