"use client";
import { CircleCheck, CircleQuestionMark } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { type Remedy, SEVERITIES } from "#chain/model.ts";
import { formatCount } from "#client/format.ts";
import type { Planning } from "#client/use-make-plan.ts";
import { Refusal } from "#components/patterns/refusal.tsx";
import { Button } from "#components/ui/button.tsx";
import type { PlanRequestInput } from "#contract/engine-plans.ts";
import type { ChainFinding } from "#contract/engine-vms.ts";
import { FindingCard } from "./finding-card.tsx";

/** Findings are cards with a lot of text: more than this at once helps nobody, the rest comes on request. */
const AT_ONCE = 25;

type Props = {
  findings: ChainFinding[];
  open: string | null;
  onOpen: (finding: ChainFinding | null) => void;
  onLocate: (finding: ChainFinding) => void;
  onCopy: (finding: ChainFinding) => void;
  imageOf: (disk: string) => string | null;
  planning: Planning;
  /** Set when nothing found does not mean that nothing is wrong. */
  cannotTell: string | null;
};

/** One plan for every finding that offers it, where more than one does. */
const FOR_ALL: readonly { remedy: Remedy; label: string; request: PlanRequestInput }[] = [
  { remedy: "redefine", label: "Redefine all…", request: { intent: "redefine", params: { mode: "salvage" } } },
  { remedy: "heal", label: "Heal all…", request: { intent: "heal", params: { mode: "salvage" } } },
];

/** Worst first; within a severity what is not acknowledged comes first. */
export function sortFindings(findings: readonly ChainFinding[]): ChainFinding[] {
  const rank = (finding: ChainFinding) => 2 * SEVERITIES.indexOf(finding.severity) + (finding.acknowledged ? 1 : 0);
  return findings.toSorted((left, right) => rank(left) - rank(right));
}

/** `findings` in the order of `sortFindings`. */
export function FindingsPanel(props: Props) {
  const { findings, open, cannotTell, planning } = props;
  const forAll = FOR_ALL.filter(
    ({ remedy }) => findings.filter((finding) => finding.remedies.includes(remedy)).length > 1,
  );
  const refusal = forAll.map(({ request }) => planning.refusalOf(request)).find((error) => error !== null) ?? null;
  const [shown, setShown] = useState(AT_ONCE);
  const box = useRef<HTMLDivElement>(null);
  const openAt = findings.findIndex((finding) => finding.id === open);
  useEffect(() => {
    if (openAt >= shown) setShown(openAt + 1);
    if (open === null) return;
    box.current?.querySelector(`[data-finding="${CSS.escape(open)}"]`)?.scrollIntoView({ block: "nearest" });
  }, [open, openAt, shown]);
  return (
    <section aria-labelledby="findings-title" className="rounded-lg border border-line">
      <div className="flex min-h-10 items-center gap-2 border-b border-line pr-2 pl-4">
        <h2 id="findings-title" className="flex-1 font-semibold">
          Findings <span className="font-normal text-ink-3">{formatCount(findings.length)}</span>
        </h2>
        {forAll.map(({ remedy, label, request }) => (
          <Button
            key={remedy}
            size="sm"
            unavailable={planning.noPlan}
            data-hint={planning.noPlan ?? "One plan for every finding that offers it"}
            onClick={() => planning.plan(request)}
          >
            {planning.isPlanning(request) ? "Planning…" : label}
          </Button>
        ))}
      </div>
      {refusal !== null && (
        <div className="border-b border-line p-2">
          <Refusal what="There is no plan" error={refusal} />
        </div>
      )}
      {findings.length === 0 && !cannotTell && (
        <p className="flex gap-2 px-4 py-4 text-ink-2">
          <CircleCheck size={16} aria-hidden className="mt-0.5 shrink-0 text-ok" />
          Nothing found. Record, libvirt and disks tell the same story.
        </p>
      )}
      {cannotTell && (
        <p className="hatched flex gap-2 border-b border-line px-4 py-3 text-ink last:border-b-0">
          <CircleQuestionMark size={16} aria-hidden className="mt-0.5 shrink-0 text-ink-2" />
          {cannotTell}
        </p>
      )}
      <div ref={box}>
        {findings.slice(0, shown).map((finding) => (
          <FindingCard
            key={finding.id}
            finding={finding}
            isOpen={finding.id === open}
            onToggle={() => props.onOpen(finding.id === open ? null : finding)}
            onLocate={finding.subject.checkpointId || finding.subject.bitmap ? () => props.onLocate(finding) : null}
            onCopy={() => props.onCopy(finding)}
            imageOf={props.imageOf}
            planning={props.planning}
          />
        ))}
      </div>
      {findings.length > shown && (
        <div className="p-2 text-center">
          <Button size="sm" onClick={() => setShown(shown + AT_ONCE)}>
            Show {Math.min(AT_ONCE, findings.length - shown)} more of {formatCount(findings.length - shown)}
          </Button>
        </div>
      )}
    </section>
  );
}
