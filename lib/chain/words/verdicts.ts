/** One sentence for every reason of a verdict. */
import { assertNever } from "../assert-never.ts";
import type { DiskVerdict } from "../model.ts";
import { formatBytes } from "./bytes.ts";

export const VERDICT_REASONS = [
  "no-checkpoint",
  "not-covered",
  "only-unfinished",
  "bitmap-missing",
  "bitmap-inconsistent",
  "bitmap-not-recording",
  "bitmap-not-persistent",
  "bitmap-gap",
  "bitmap-remade",
  "rewound",
  "replaced",
  "unsupported",
  "unreadable",
  "metadata-missing",
  "metadata-differs",
  "record-broken",
  "two-hosts",
  "backup-stuck",
  "not-observed",
  "disk-not-observed",
  "bitmaps-not-read",
  "metadata-not-read",
  "job-in-flight",
  "power-unknown",
] as const;
export type VerdictReason = (typeof VERDICT_REASONS)[number];

const REASONS: Readonly<Record<VerdictReason, string>> = {
  "no-checkpoint": "No checkpoint is recorded yet.",
  "not-covered": "No checkpoint on the current line covers this disk.",
  "only-unfinished": "The only checkpoints that cover this disk come from backups that did not finish.",
  "bitmap-missing": "The bitmap of the last base is not on the disk.",
  "bitmap-inconsistent": "The bitmap of the last base was not closed cleanly.",
  "bitmap-not-recording": "The bitmap of the last base was switched off and lacks writes.",
  "bitmap-not-persistent": "The bitmap of the last base exists only in memory.",
  "bitmap-gap": "The bitmap of the last base was not carried through a snapshot.",
  "bitmap-remade": "The bitmap of the last base was made anew by somebody and lacks writes.",
  rewound: "An older image was put back; no bitmap of this disk can be trusted.",
  replaced: "The image was replaced; no bitmap of this disk can be trusted.",
  unsupported: "The image's format cannot hold persistent bitmaps.",
  unreadable: "QEMU cannot open the image.",
  "metadata-missing": "The base is healthy, but libvirt does not list it. Redefine it first.",
  "metadata-differs": "libvirt's definition of the base is wrong. Redefine it first.",
  "record-broken": "The recorded links between checkpoints are broken. Repair them first.",
  "two-hosts": "The VM is active on two hosts. Nothing may be changed.",
  "backup-stuck": "An earlier backup still holds the VM.",
  "not-observed": "The host has not been read.",
  "disk-not-observed": "The host did not list this disk when it was read.",
  "bitmaps-not-read": "The bitmaps of this disk could not be read.",
  "metadata-not-read": "libvirt's list of checkpoints could not be read.",
  "job-in-flight": "A job is changing this disk's checkpoints now.",
  "power-unknown": "The host did not say whether the VM runs.",
};

export function isVerdictReason(reason: string): reason is VerdictReason {
  return Object.hasOwn(REASONS, reason);
}

/** The reason in words; a reason that this version does not know is shown as it is. */
export function verdictReasonWords(reason: string): string {
  return isVerdictReason(reason) ? REASONS[reason] : reason;
}

/** `vda: incremental from cp9, about 3 MiB` */
export function verdictLine(verdict: DiskVerdict): string {
  const why = verdict.reason === null ? "" : ` (${verdictReasonWords(verdict.reason).replace(/\.$/, "")})`;
  switch (verdict.verdict) {
    case "incremental": {
      const size = verdict.estimatedBytes === null ? "size not known" : `about ${formatBytes(verdict.estimatedBytes)}`;
      return `${verdict.disk}: incremental from ${verdict.from ?? "?"}, ${size}`;
    }
    case "full":
      return `${verdict.disk}: full${why}`;
    case "blocked":
      return `${verdict.disk}: blocked${why}`;
    case "unknown":
      return `${verdict.disk}: cannot tell${why}`;
    default:
      return assertNever(verdict.verdict);
  }
}
