import type { Finding, FindingEvidence, FindingKind, Remedy } from "../model.ts";
import { findingWords } from "../words/findings.ts";
import { KIND_FACTS } from "./kinds.ts";

export type FindingDraft = {
  kind: FindingKind;
  checkpointId?: string | null;
  disk?: string | null;
  bitmap?: string | null;
  reason?: string | null;
  evidence: Partial<FindingEvidence>;
  owner?: string | null;
  /** Where the kind's own remedies do not all fit. */
  remedies?: readonly Remedy[];
};

/** Same defect, same id, over time and hosts: `kind|checkpoint|disk|bitmap`, absent parts empty. */
export function findingId(
  kind: FindingKind,
  checkpointId: string | null,
  disk: string | null,
  bitmap: string | null,
): string {
  return [kind, part(checkpointId), part(disk), part(bitmap)].join("|");
}

/** A host lets any character into a bitmap's name, also the one that separates the parts. */
function part(text: string | null): string {
  return (text ?? "").replaceAll("%", "%25").replaceAll("|", "%7C");
}

export function makeFinding(draft: FindingDraft): Finding {
  const { kind, checkpointId = null, disk = null, bitmap = null, reason = null, owner = null } = draft;
  const facts = KIND_FACTS[kind];
  const subject = { checkpointId, disk, bitmap };
  return {
    id: findingId(kind, checkpointId, disk, bitmap),
    kind,
    severity: facts.severity,
    subject,
    reason,
    evidence: { record: null, metadata: null, bitmap: null, ...draft.evidence },
    ...findingWords({ kind, subject, reason, owner }),
    remedies: [...(draft.remedies ?? facts.remedies)],
    owner,
    acknowledged: false,
  };
}
