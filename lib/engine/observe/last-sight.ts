/** Evidence is as old as the read that showed it, also when newer reads could not look there. */
import type { Finding } from "#chain/model.ts";
import { readSource, type Tx } from "#db/index.ts";
import type { Judgement } from "./judge.ts";

/**
 * Stamps findings that stand on an earlier read, once, as they begin to: up to then the newest read showed them, and that
 * is the one that the VM's row still names. What is shown again has no stamp, and a sweep writes none.
 */
export async function withLastSight(
  tx: Tx,
  vm: { observedAt: Date | null; observationId: number | null },
  { findings, carried }: Pick<Judgement, "findings" | "carried">,
): Promise<Finding[]> {
  const begins = ({ id, evidence }: Finding) => carried.has(id) && evidence.observedAt === undefined;
  if (!findings.some(begins)) return findings;
  const observedAt = vm.observedAt?.toISOString() ?? null;
  const source = vm.observationId === null ? null : await readSource(tx, vm.observationId);
  return findings.map((finding) =>
    begins(finding) ? { ...finding, evidence: { ...finding.evidence, observedAt, source } } : finding,
  );
}
