/** What prune, remove and adopt say. */
import { are, type BitmapName, bitmapNames, checkpoints, counted, nameList } from "./names.ts";

export function pruned(ids: readonly string[]): string {
  return `${checkpoints(ids)} ${are(ids.length)} deleted from the record and the host, with all bitmaps. Backups already made stay.`;
}

/** Bitmaps in images that are not attached cannot be deleted from here. */
export function detached(
  facts: {
    disks: { has(target: string): boolean };
    recorded: ReadonlyMap<string, { disks: readonly { target: string }[] }>;
  },
  ids: readonly string[],
): string[] {
  const away = new Set(
    ids
      .flatMap((id) => (facts.recorded.get(id)?.disks ?? []).map(({ target }) => target))
      .filter((t) => !facts.disks.has(t)),
  );
  return away.size === 0 ? [] : [`${nameList([...away].sort())} is not attached: bitmaps in its image stay there.`];
}

export function removed(given: {
  recorded: readonly string[];
  foreign: readonly string[];
  bitmaps: readonly BitmapName[];
}): string[] {
  const lines: string[] = [];
  if (given.foreign.length > 0) {
    const what = given.foreign.length === 1 ? "is not ours. It is" : "are not ours. They are";
    lines.push(`${checkpoints(given.foreign)} ${what} deleted from the host, with all bitmaps.`);
  }
  if (given.recorded.length > 0) lines.push(pruned(given.recorded));
  if (given.bitmaps.length > 0) {
    lines.push(`Deleted from the images: ${counted(given.bitmaps.length, "bitmap")} (${bitmapNames(given.bitmaps)}).`);
  }
  return lines;
}

const byOwner = (owner: string | null) =>
  owner === null ? "Its owner is not known" : `It probably belongs to ${owner}`;

export function foreignLoss(id: string, owner: string | null): { id: string; text: string } {
  return { id: `foreign|${id}`, text: `Checkpoint ${id}. ${byOwner(owner)}, who needs a full backup afterwards.` };
}

export function bitmapLoss({ disk, bitmap }: BitmapName, owner: string | null): { id: string; text: string } {
  return { id: `bitmap|${disk}|${bitmap}`, text: `Bitmap ${bitmap} on ${disk}. ${byOwner(owner)}.` };
}

export function adopted(ids: readonly string[]): string {
  const what = ids.length === 1 ? "is recorded as ours and is a base" : "are recorded as ours and are bases";
  const them = ids.length === 1 ? "it" : "them";
  return `${checkpoints(ids)} ${what} from then on. The host is not changed. Whoever made ${them} must no longer delete ${them}.`;
}
