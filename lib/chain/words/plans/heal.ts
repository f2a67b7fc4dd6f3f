/** What a heal says. */
import { are, type BitmapName, bitmapNames, checkpoints, counted, nameList } from "./names.ts";

type Damage = {
  whole: ReadonlySet<string>;
  partial: readonly { checkpointId: string; disk: string }[];
  quarantined: readonly string[];
  leftovers: { checkpoints: readonly string[]; bitmaps: readonly BitmapName[] };
};

export function healed({ whole, partial, quarantined, leftovers }: Damage): string[] {
  const begun = new Set(leftovers.checkpoints);
  const gone = [...whole].filter((id) => !begun.has(id));
  const lines: string[] = [];
  if (quarantined.length > 0) {
    lines.push(
      `Every checkpoint gives up ${nameList(quarantined)}: nothing proves that its bitmaps belong to the image that is there now.`,
    );
  }
  if (gone.length > 0) {
    lines.push(`${checkpoints(gone)} ${are(gone.length)} deleted from the record and the host, with all bitmaps.`);
  }
  const kept = partial.filter(({ disk }) => !quarantined.includes(disk));
  if (kept.length > 0) {
    const [only] = kept;
    lines.push(
      only && kept.length === 1
        ? `Checkpoint ${only.checkpointId} gives up ${only.disk} and stays on its other disks.`
        : `Each of these checkpoints gives up a disk and stays on its others: ${nameList(kept.map(({ checkpointId, disk }) => `${checkpointId} on ${disk}`))}.`,
    );
  }
  if (leftovers.checkpoints.length > 0) {
    lines.push(`A deletion that was begun earlier is finished: ${nameList(leftovers.checkpoints)}.`);
  }
  if (leftovers.bitmaps.length > 0) {
    lines.push(`Bitmaps left by an earlier repair go: ${bitmapNames(leftovers.bitmaps)}.`);
  }
  return lines;
}

export function healLosses({ whole, partial, quarantined, leftovers }: Damage): { id: string; text: string }[] {
  const begun = new Set(leftovers.checkpoints);
  const gone = [...whole].filter((id) => !begun.has(id));
  const dropped = partial.filter(({ disk }) => !quarantined.includes(disk));
  const losses = quarantined.map((disk) => ({
    id: `quarantine|${disk}`,
    text: `The whole chain of ${disk}: no increment on ${disk} can start from any earlier checkpoint again.`,
  }));
  if (gone.length > 0) {
    losses.push({ id: "checkpoints", text: `${checkpoints(gone)}: no backup can start there again.` });
  }
  if (dropped.length > 0) {
    const items = dropped.map(({ checkpointId, disk }) => ({ disk, bitmap: checkpointId }));
    losses.push({ id: "bitmaps", text: `${bitmapNames(items)}: no increment can start there again.` });
  }
  return losses;
}

export function acceptedLeft(count: number): string {
  return `${counted(count, "finding")} that a person accepted ${are(count)} left as ${count === 1 ? "it is" : "they are"}.`;
}
