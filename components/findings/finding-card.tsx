"use client";
import { ChevronDown } from "lucide-react";
import { useId } from "react";
import { KIND_TITLES } from "#chain/words.ts";
import type { Planning } from "#client/use-make-plan.ts";
import { SeverityMark } from "#components/patterns/severity-mark.tsx";
import { cx } from "#components/ui/cx.ts";
import { loadLater } from "#components/ui/load-later.tsx";
import { Skeleton } from "#components/ui/skeleton.tsx";
import type { ChainFinding } from "#contract/engine-vms.ts";

const FindingBody = loadLater(
  () => import("./finding-body.tsx").then((m) => m.FindingBody),
  () => <Skeleton className="h-40 w-full" />,
);

type FindingProps = {
  finding: ChainFinding;
  isOpen: boolean;
  onToggle: () => void;
  onLocate: (() => void) | null;
  onCopy: () => void;
  /** Path of a disk's image on the host, where it is known. */
  imageOf: (disk: string) => string | null;
  planning: Planning;
};

/** One finding: what each witness says, since when, how it came, what it costs, what would put it right. */
export function FindingCard(props: FindingProps) {
  const { finding, isOpen, onToggle } = props;
  const body = useId();
  const { checkpointId, disk, bitmap } = finding.subject;
  const subject = [checkpointId, disk, bitmap !== checkpointId ? bitmap : null].filter((part) => part !== null);
  return (
    <article data-finding={finding.id} data-kind={finding.kind} className="border-b border-line last:border-b-0">
      <h3>
        <button
          type="button"
          aria-expanded={isOpen}
          aria-controls={body}
          onClick={onToggle}
          className="flex w-full items-start gap-2 px-4 py-2.5 text-left hover:bg-hover"
        >
          <span className="mt-px">
            <SeverityMark severity={finding.severity} bare />
          </span>
          <span className="min-w-0 flex-1">
            <span className="block font-medium">
              {KIND_TITLES[finding.kind]}
              {finding.acknowledged && <span className="font-normal text-ink-3"> · acknowledged</span>}
            </span>
            <span className="block font-mono text-xs break-words text-ink-2">{subject.join(" · ")}</span>
          </span>
          <ChevronDown
            size={15}
            aria-hidden
            className={cx("mt-0.5 shrink-0 text-ink-3 transition-transform", isOpen && "rotate-180")}
          />
        </button>
      </h3>
      {isOpen && (
        <div id={body} className="space-y-3 px-4 pt-1.5 pb-4">
          <FindingBody {...props} />
        </div>
      )}
    </article>
  );
}
