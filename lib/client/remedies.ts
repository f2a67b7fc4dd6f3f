import type { Remedy } from "#chain/model.ts";
import type { PlanRequestInput } from "#contract/engine-plans.ts";
import type { ChainFinding } from "#contract/engine-vms.ts";

/** What is asked for when somebody takes this remedy of this finding; null: the remedy is no plan (explain). */
export function planRequestOf(remedy: Remedy, finding: Pick<ChainFinding, "id" | "subject">): PlanRequestInput | null {
  const { checkpointId, disk, bitmap } = finding.subject;
  const repair = { links: false, retireDisks: [], acknowledge: [], closeBackup: false, abortJob: false };
  switch (remedy) {
    case "redefine":
      return { intent: "redefine", params: { mode: "salvage" } };
    case "heal":
      return { intent: "heal", params: { mode: "salvage", findings: [finding.id] } };
    case "adopt":
      return checkpointId === null ? null : { intent: "adopt", params: { checkpointIds: [checkpointId] } };
    case "remove":
      return checkpointId === null
        ? null
        : { intent: "remove", params: { checkpointIds: [checkpointId], bitmaps: [] } };
    case "remove-bitmap":
      return disk === null || bitmap === null
        ? null
        : { intent: "remove", params: { checkpointIds: [], bitmaps: [{ disk, bitmap }] } };
    case "acknowledge":
      return { intent: "repair-record", params: { ...repair, acknowledge: [finding.id] } };
    case "full-backup":
      return { intent: "backup", params: { mode: "full", ...(disk === null ? {} : { disks: [disk] }) } };
    case "retire":
      return disk === null ? null : { intent: "repair-record", params: { ...repair, retireDisks: [disk] } };
    case "repair-record":
      return { intent: "repair-record", params: { ...repair, links: true } };
    case "abort":
      return { intent: "repair-record", params: { ...repair, abortJob: true } };
    case "close":
      return { intent: "repair-record", params: { ...repair, closeBackup: true } };
    case "explain":
      return null;
  }
}
