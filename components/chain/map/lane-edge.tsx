import { BaseEdge, type EdgeProps } from "@xyflow/react";
import { memo } from "react";

const CORNER_PX = 12;

/** From the parent's side to the lane of the child, then straight up into the child. */
export const LaneEdge = memo(function LaneEdge({ id, sourceX, sourceY, targetX, targetY, data }: EdgeProps) {
  const half = typeof data?.halfWidth === "number" ? data.halfWidth : 0;
  const middle = typeof data?.halfHeight === "number" ? data.halfHeight : 0;
  const side = Math.sign(targetX - sourceX);
  const path =
    side === 0
      ? `M${sourceX} ${sourceY}V${targetY}`
      : `M${sourceX + side * half} ${sourceY + middle}H${targetX - side * CORNER_PX}Q${targetX} ${sourceY + middle} ${targetX} ${sourceY + middle - CORNER_PX}V${targetY}`;
  return <BaseEdge id={id} path={path} style={{ stroke: "var(--line-strong)", strokeWidth: 1.5 }} />;
});
