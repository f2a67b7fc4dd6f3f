import { UnfoldVertical } from "lucide-react";
import { memo } from "react";
import { formatCount } from "#client/format.ts";
import { MATCH_LOOK } from "#components/patterns/match-mark.tsx";
import { cx } from "#components/ui/cx.ts";
import type { FoldedNode } from "#graph/fold.ts";
import { LaneHandles } from "./checkpoint-node.tsx";

export type FoldData = { fold: FoldedNode; past: boolean };

/** A long uneventful run as one node; pressing it shows the run. */
export const FoldNode = memo(function FoldNode({ data: { fold, past } }: { data: FoldData }) {
  const match = past ? "unknown" : fold.match;
  const word = match === "both" ? "all agree" : match === "differs" ? "all differ" : MATCH_LOOK.unknown.word;
  return (
    <>
      <LaneHandles />
      <button
        type="button"
        tabIndex={-1}
        data-fold={fold.id}
        aria-label={`${formatCount(fold.count)} checkpoints, ${word}, folded. Press to unfold.`}
        className={cx(
          "pointer-events-auto flex h-full w-full items-center justify-center gap-2 rounded-lg border border-dashed border-line bg-surface hover:border-line-strong hover:text-ink",
          match === "unknown" && "hatched",
          match === "differs" && "text-bad",
        )}
      >
        <UnfoldVertical size={14} aria-hidden />
        <span>
          {formatCount(fold.count)} checkpoints, {word}
        </span>
      </button>
    </>
  );
});
