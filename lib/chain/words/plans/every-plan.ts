/** What every plan says of its losses and of the next backup. */
import type { DiskVerdict } from "../../model.ts";
import { formatBytes } from "../bytes.ts";
import { verdictReasonWords } from "../verdicts.ts";
import { type BitmapName, bitmapNames, nameList } from "./names.ts";

export function baseLoss(bases: readonly BitmapName[]): { id: string; text: string; bases: BitmapName[] } {
  const what = bases.length === 1 ? "a healthy base" : "healthy bases";
  return {
    id: "bases",
    text: `${bitmapNames(bases)}: ${what} that no backup can start from again.`,
    bases: [...bases],
  };
}

export function lastBaseLoss(disk: string): { id: string; text: string } {
  return { id: `last-base|${disk}`, text: `The last base of ${disk}: its next backup is full.` };
}

export function chainLoss(count: number): { id: string; text: string } {
  return {
    id: "chain",
    text: `The whole chain: ${count === 1 ? "its only checkpoint goes" : `all ${count} checkpoints go`}.`,
  };
}

/** What the plan changes about the next backup of a disk; null where nothing changes. */
export function costLine({ disk, now, after }: { disk: string; now: DiskVerdict; after: DiskVerdict }): string | null {
  if (now.verdict === after.verdict && now.from === after.from && now.reason === after.reason) return null;
  return `Next backup of ${disk}: ${verdictShort(after)} (now: ${verdictShort(now)}).`;
}

function verdictShort({ verdict, from, estimatedBytes, reason }: DiskVerdict): string {
  if (verdict === "incremental") {
    return `incremental from ${from}${estimatedBytes === null ? "" : `, about ${formatBytes(estimatedBytes)}`}`;
  }
  const why = reason === null ? "" : `, ${inSentence(verdictReasonWords(reason))}`;
  return `${verdict === "unknown" ? "cannot tell" : verdict}${why}`;
}

/** Whole sentences as a part of another one; names such as QEMU stay as they are. */
const inSentence = (text: string): string =>
  text
    .replace(/\.$/, "")
    .replaceAll(". ", "; ")
    .replaceAll(/(^|; )([A-Z])(?=[a-z ])/g, (letters) => letters.toLowerCase());

export function appearing(titles: readonly string[]): string {
  return `New afterwards, and no failure: ${nameList(titles)}.`;
}
