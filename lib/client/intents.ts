/** What plans and jobs are for, in words. Apart from the other words: every screen with a running job needs these. */
import type { PlanIntent } from "#chain/plan/model.ts";

export const INTENT_WORDS: Readonly<Record<PlanIntent, { label: string; hint: string }>> = {
  redefine: { label: "Redefine", hint: "Tells libvirt again what the record says. Changes no disk." },
  heal: { label: "Heal", hint: "Removes the least that makes record, libvirt and disks agree." },
  adopt: { label: "Adopt", hint: "Takes checkpoints that another program made into the record." },
  prune: { label: "Prune", hint: "Deletes old checkpoints with their bitmaps." },
  remove: { label: "Remove", hint: "Deletes the named checkpoints and bitmaps." },
  backup: { label: "Back up", hint: "Writes a backup and makes its checkpoint." },
  "repair-record": { label: "Repair record", hint: "Puts the record right." },
};
export const intentLabel = (kind: string): string =>
  kind in INTENT_WORDS ? INTENT_WORDS[kind as PlanIntent].label : kind;

/** What is done to what, as a heading: "Heal mail-01". What takes or gives checkpoints never reads as if the VM went. */
export function workTitle(kind: PlanIntent, vmName: string): string {
  switch (kind) {
    case "adopt":
      return `Adopt checkpoints of ${vmName}`;
    case "prune":
      return `Prune checkpoints of ${vmName}`;
    case "remove":
      return `Remove from ${vmName}`;
    case "repair-record":
      return `Repair the record of ${vmName}`;
    default:
      return `${INTENT_WORDS[kind].label} ${vmName}`;
  }
}
