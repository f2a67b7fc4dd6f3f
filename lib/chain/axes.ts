/** The three axes of a VM. They are never merged, and none is green without proof. */
import type { Agreement, Finding, FindingKind, Freshness, Observation } from "./model.ts";
import { isLive, unreadOf } from "./trust.ts";

/** True of a disk, but no difference between the witnesses. */
const NO_DIFFERENCE: ReadonlySet<FindingKind> = new Set<FindingKind>(["disk.unsupported"]);

export type AgreementInput = {
  /** null: there is none, or the newest attempt failed and nothing older is known. */
  observation: Observation | null;
  findings: readonly Finding[];
  /** A read is under way. */
  checking?: boolean;
  /** Where given, an old agreement is not repeated as if it were true now. */
  freshness?: Freshness;
  /** As in `DriftInput`: the VM runs on another host, so that this observation proves nothing. */
  activeElsewhere?: readonly { hostId: string }[];
};

/**
 * A proven difference is "differs" even if other things could not be read. "agrees" needs a complete, current read
 * without any difference that a person has not accepted; everything else is "unknown".
 */
export function agreementOf(input: AgreementInput): Agreement {
  const { observation, findings, checking = false, freshness, activeElsewhere = [] } = input;
  if (checking) return "checking";
  if (!observation) return "unknown";
  if (findings.some((finding) => !finding.acknowledged && !NO_DIFFERENCE.has(finding.kind))) return "differs";
  if (unreadOf(observation).length > 0) return "unknown";
  if (freshness === "stale" || freshness === "offline") return "unknown";
  if (activeElsewhere.length > 0 && !isLive(observation)) return "unknown";
  return "agrees";
}

export type FreshnessInput = {
  /** Last complete read; null: never. */
  observedAt: string | null;
  /** Its host does not answer, or is not in the configuration any more. */
  hostOffline: boolean;
  /** The newest attempt failed, although the host may answer. */
  triedFailed: boolean;
  /** ISO 8601 time or milliseconds since the epoch. */
  now: string | number;
  staleAfterMs: number;
  observeEveryMs: number;
};

/**
 * Fresh until a read is overdue by one interval; a clock that runs ahead does not make a read stale, a failed attempt
 * does. The fleet list says the same in SQL (`freshnessSql`); a test compares the two.
 */
export function freshnessOf(input: FreshnessInput): Freshness {
  if (input.hostOffline) return "offline";
  if (input.triedFailed || input.observedAt === null) return "stale";
  const now = typeof input.now === "number" ? input.now : Date.parse(input.now);
  const ageMs = now - Date.parse(input.observedAt);
  if (Number.isNaN(ageMs) || ageMs > input.staleAfterMs) return "stale";
  return ageMs <= 2 * input.observeEveryMs ? "fresh" : "ageing";
}
