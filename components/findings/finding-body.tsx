"use client";
import { Copy, LocateFixed } from "lucide-react";
import type { Remedy } from "#chain/model.ts";
import { REMEDY_LABELS, sourceWords } from "#chain/words.ts";
import { planRequestOf } from "#client/remedies.ts";
import type { Planning } from "#client/use-make-plan.ts";
import { Moment } from "#components/patterns/moment.tsx";
import { Refusal } from "#components/patterns/refusal.tsx";
import { SeverityMark } from "#components/patterns/severity-mark.tsx";
import { Button } from "#components/ui/button.tsx";
import { cx } from "#components/ui/cx.ts";
import type { ChainFinding } from "#contract/engine-vms.ts";

type Props = {
  finding: ChainFinding;
  onLocate: (() => void) | null;
  onCopy: () => void;
  imageOf: (disk: string) => string | null;
  planning: Planning;
};

/** What each witness says, how it likely came, what it costs, what would put it right. Loaded with the first look. */
export function FindingBody({ finding, onLocate, onCopy, imageOf, planning }: Props) {
  return (
    <>
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
        {finding.evidence.observedAt && (
          <>
            <dt className="text-xs leading-5 font-medium text-ink-3">As read</dt>
            <dd className="text-xs leading-5 text-ink-2" data-evidence-at={finding.evidence.observedAt}>
              <Moment at={finding.evidence.observedAt} />
              {sourceWords(finding.evidence.source)}
            </dd>
          </>
        )}
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
              <RemedyRow key={remedy} remedy={remedy} finding={finding} imageOf={imageOf} planning={planning} />
            ))}
          </ul>
          {finding.remedies.some((remedy) => planRequestOf(remedy, finding)) && (
            <p className="mt-1.5 text-xs text-ink-3">
              {planning.noPlan ?? "Each shows a plan first; nothing happens before it is applied."}
            </p>
          )}
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
    </>
  );
}

function RemedyRow(props: {
  remedy: Remedy;
  finding: ChainFinding;
  imageOf: (disk: string) => string | null;
  planning: Planning;
}) {
  const { remedy, finding, planning } = props;
  const request = planRequestOf(remedy, finding);
  if (remedy === "explain") {
    const image = finding.subject.disk === null ? null : props.imageOf(finding.subject.disk);
    return (
      <li>
        On the host, while the VM is stopped:{" "}
        <code className="mt-1 block rounded-md border border-line bg-surface px-2.5 py-1.5 font-mono text-xs wrap-anywhere select-all">
          qemu-img check {image === null ? "<image>" : `'${image.replaceAll("'", "'\\''")}'`}
        </code>
      </li>
    );
  }
  const refusal = request && planning.refusalOf(request);
  return (
    <li className="flex flex-wrap items-center gap-x-2 gap-y-1">
      {request && (
        <Button size="sm" unavailable={planning.noPlan} onClick={() => planning.plan(request)}>
          {planning.isPlanning(request) ? "Planning…" : REMEDY_LABELS[remedy].label}
        </Button>
      )}
      <span className="min-w-0 flex-1 basis-40 text-ink-2">
        {!request && <span className="font-medium text-ink">{REMEDY_LABELS[remedy].label}. </span>}
        {REMEDY_LABELS[remedy].hint}
      </span>
      {refusal !== null && refusal !== undefined && (
        <div className="basis-full">
          <Refusal what="There is no plan" error={refusal} />
        </div>
      )}
    </li>
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
