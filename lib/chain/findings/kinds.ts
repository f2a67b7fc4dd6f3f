/** What every kind weighs and what can be done about it. The kinds are part of the API and never renamed. */
import type { FindingKind, Remedy, Severity } from "../model.ts";

type KindFacts = { severity: Severity; remedies: readonly Remedy[] };

export const KIND_FACTS: Readonly<Record<FindingKind, KindFacts>> = {
  "metadata.missing": { severity: "block", remedies: ["redefine"] },
  "metadata.unknown": { severity: "note", remedies: ["adopt", "remove"] },
  "metadata.parent-differs": { severity: "note", remedies: ["redefine"] },
  "metadata.disks-differ": { severity: "loss", remedies: ["redefine"] },
  "metadata.bitmap-name-differs": { severity: "loss", remedies: ["redefine"] },
  "bitmap.missing": { severity: "full", remedies: ["heal"] },
  "bitmap.inconsistent": { severity: "full", remedies: ["heal"] },
  "bitmap.not-recording": { severity: "loss", remedies: ["heal"] },
  "bitmap.not-persistent": { severity: "full", remedies: ["heal"] },
  "bitmap.gap": { severity: "full", remedies: ["heal"] },
  "bitmap.unknown": { severity: "waste", remedies: ["remove-bitmap", "acknowledge"] },
  "bitmap.rewound": { severity: "loss", remedies: ["heal"] },
  "bitmap.granularity-differs": { severity: "note", remedies: [] },
  "disk.added": { severity: "full", remedies: ["full-backup"] },
  "disk.gone": { severity: "note", remedies: ["retire"] },
  "disk.replaced": { severity: "loss", remedies: ["heal", "acknowledge"] },
  "disk.unsupported": { severity: "note", remedies: [] },
  "disk.unreadable": { severity: "block", remedies: ["explain"] },
  "checkpoint.unfinished": { severity: "loss", remedies: ["remove"] },
  "record.missing-parent": { severity: "block", remedies: ["repair-record"] },
  "record.cycle": { severity: "block", remedies: ["repair-record"] },
  "vm.two-hosts": { severity: "block", remedies: [] },
  "backup.stuck": { severity: "block", remedies: ["abort", "close"] },
};

/** Remedies that take something from the host for good. None is offered for what was not read. */
export const DESTRUCTIVE: ReadonlySet<Remedy> = new Set<Remedy>(["heal", "remove", "remove-bitmap"]);
