"use client";
import { ChevronDown, Copy, LocateFixed } from "lucide-react";
import { useId } from "react";
import { KIND_TITLES, REMEDY_LABELS } from "#chain/words.ts";
import { Moment } from "#components/patterns/moment.tsx";
import { SeverityMark } from "#components/patterns/severity-mark.tsx";
import { Button } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import type { ChainFinding } from "#contract/engine.ts";

type Props = {
  finding: ChainFinding;
  isOpen: boolean;
  onToggle: () => void;
  onLocate: (() => void) | null;
  onCopy: () => void;
  /** Why a plan cannot be made from here. */
  noPlan: string | null;
};

/** One finding: what each witness says, since when, how it came, what it costs, what would put it right. */
export function FindingCard({ finding, isOpen, onToggle, onLocate, onCopy, noPlan }: Props) {
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
        <div id={body} className="space-y-3 px-4 pb-4">
          <p className="flex flex-wrap items-center gap-x-2 text-xs text-ink-3">
            <SeverityMark severity={finding.severity} />
            <span className="font-mono">{finding.kind}</span>
            {finding.reason && <span className="font-mono">({finding.reason})</span>}
            <span>
              since <Moment at={finding.since} />
            </span>
          </p>
          <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1.5 rounded-md border border-line bg-surface p-3">
            <Witness name="Record" says={finding.evidence.record} />
            <Witness name="libvirt" says={finding.evidence.metadata} />
            <Witness name="Disk" says={finding.evidence.bitmap} />
          </dl>
          <div>
            <h4 className="text-xs font-medium text-ink-3">How it likely came</h4>
            <p>{finding.explanation}</p>
            {finding.owner && <p className="text-ink-2">Likely owner: {finding.owner}.</p>}
          </div>
          <div>
            <h4 className="text-xs font-medium text-ink-3">What it means for the next backup</h4>
            <p>{finding.consequence}</p>
          </div>
          {finding.remedies.length > 0 && (
            <div>
              <h4 className="mb-1 text-xs font-medium text-ink-3">What would put it right</h4>
              <ul className="space-y-1.5">
                {finding.remedies.map((remedy) => (
                  <li key={remedy} className="flex flex-wrap items-center gap-x-2 gap-y-1">
                    <Button size="sm" unavailable={noPlan}>
                      {REMEDY_LABELS[remedy].label}
                    </Button>
                    <span className="min-w-0 flex-1 basis-40 text-ink-2">{REMEDY_LABELS[remedy].hint}</span>
                  </li>
                ))}
              </ul>
              {noPlan && <p className="mt-1.5 text-xs text-ink-3">{noPlan}</p>}
            </div>
          )}
          <div className="flex flex-wrap gap-2">
            <Button size="sm" look="quiet" className="-ml-2" onClick={onCopy}>
              <Copy size={14} aria-hidden /> Copy as text
            </Button>
            {onLocate && (
              <Button size="sm" look="quiet" onClick={onLocate}>
                <LocateFixed size={14} aria-hidden /> Show in the chain
              </Button>
            )}
          </div>
        </div>
      )}
    </article>
  );
}

function Witness({ name, says }: { name: string; says: string | null }) {
  return (
    <>
      <dt className="text-xs leading-5 font-medium text-ink-3">{name}</dt>
      <dd className={cx("font-mono text-xs leading-5 break-words", says === null && "text-ink-3")}>
        {says ?? "not asked"}
      </dd>
    </>
  );
}
