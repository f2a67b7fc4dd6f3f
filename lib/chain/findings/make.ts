import type { Finding, FindingEvidence, FindingKind, Remedy, Severity } from "../model.ts";
import { findingWords } from "../words/findings.ts";
import { findingId } from "./id.ts";
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
  /** Where the reason weighs more than the kind does. */
  severity?: Severity;
};

export function makeFinding(draft: FindingDraft): Finding {
  const { kind, checkpointId = null, disk = null, bitmap = null, reason = null, owner = null } = draft;
  const facts = KIND_FACTS[kind];
  const subject = { checkpointId, disk, bitmap };
  return {
    id: findingId(kind, checkpointId, disk, bitmap),
    kind,
    severity: draft.severity ?? facts.severity,
    subject,
    reason,
    evidence: { record: null, metadata: null, bitmap: null, ...draft.evidence },
    ...findingWords({ kind, subject, reason, owner }),
    remedies: [...(draft.remedies ?? facts.remedies)],
    owner,
    acknowledged: false,
  };
}
