import type { Eligibility, VmSituation } from "#chain/can.ts";
import type { Role } from "#contract/engine.ts";
import type { Chain, Vm, VmRow } from "#contract/engine-vms.ts";

/** What the eligibility functions ask of a VM, from what this page has read. Without a role nothing is allowed. */
export function toSituation(chain: Chain, vm: Vm | undefined, role: Role | undefined): VmSituation {
  return {
    role: role ?? "viewer",
    hostId: chain.vm.hostId,
    // The newest attempt may have failed for another reason than a silent host; asking again is then right.
    hostOnline: chain.host.error?.code !== "agent-unreachable" || chain.freshness !== "offline",
    power: chain.vm.power,
    observed: chain.host.observedAt !== null,
    findings: chain.findings,
    jobRunning: vm?.job != null,
  };
}

/** The same from a row of the fleet, where findings are known by kind only. */
export function rowSituation(row: VmRow, role: Role | undefined): VmSituation {
  return {
    role: role ?? "viewer",
    hostId: row.hostId,
    hostOnline: row.axes.freshness !== "offline" || row.error?.code !== "agent-unreachable",
    power: row.power,
    observed: row.observedAt !== null,
    findings: row.kinds.map(({ kind }) => ({ kind, remedies: [] })),
    jobRunning: row.job !== null,
  };
}

/** The reasons as one text for a button that is not available; null when it is. */
export function whyNot(answer: Eligibility): string | null {
  return answer.ok ? null : answer.reasons.map((reason) => reason.text).join(" ");
}
