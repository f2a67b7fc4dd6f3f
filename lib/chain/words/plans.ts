/** What a plan says: short, plain, for somebody who is woken by it. No promise that the actions do not keep. */
import type { DiskVerdict } from "../model.ts";
import { formatBytes } from "./bytes.ts";
import { verdictReasonWords } from "./verdicts.ts";

type BitmapName = { disk: string; bitmap: string };
type CoverWord =
  | "recording"
  | "busy"
  | "inconsistent"
  | "not-recording"
  | "not-persistent"
  | "gap"
  | "missing"
  | "gone"
  | "retired"
  | "unsupported"
  | "unreadable"
  | "forbidden"
  | "unread";

const COVER_WORDS: Readonly<Record<CoverWord, string>> = {
  recording: "healthy",
  busy: "healthy, in use by a job",
  inconsistent: "its bitmap is inconsistent",
  "not-recording": "its bitmap is not recording",
  "not-persistent": "its bitmap is not persistent",
  gap: "its bitmap is missing in an upper image",
  missing: "its bitmap is missing",
  gone: "the disk is not attached",
  retired: "the disk is retired",
  unsupported: "the image cannot hold bitmaps",
  unreadable: "QEMU cannot open the image",
  forbidden: "its bitmap was not read: the host forbids QMP",
  unread: "its bitmap could not be read",
};

export function coverStateWords(state: CoverWord): string {
  return COVER_WORDS[state];
}

/** `cp1, cp2, cp3 and 97 more`: every name is in the steps. */
export function nameList(names: readonly string[], shown = 5): string {
  if (names.length <= shown + 1) return names.join(", ");
  return `${names.slice(0, shown).join(", ")} and ${names.length - shown} more`;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const checkpoints = (ids: readonly string[]) =>
  ids.length === 1 ? `Checkpoint ${ids[0]}` : `${counted(ids.length, "checkpoint")} (${nameList(ids)})`;
const bitmapNames = (items: readonly BitmapName[]) => nameList(items.map(({ disk, bitmap }) => `${bitmap} on ${disk}`));
const are = (count: number) => (count === 1 ? "is" : "are");

// ------------------------------------------------------------------ redefine

export function defined(define: readonly string[], replace: readonly string[]): string {
  const parts = [
    define.length > 0 ? `${checkpoints(define)} ${are(define.length)} defined again` : null,
    replace.length > 0 ? `${checkpoints(replace)} ${are(replace.length)} put right in libvirt's list` : null,
  ].filter((part) => part !== null);
  return `${parts.join("; ")}. Only libvirt's list changes; no bitmap and no data is touched.`;
}

type LeftOut = { id: string; disks: readonly { disk: string; state: CoverWord }[] };

export function leftOut(items: readonly LeftOut[]): string[] {
  if (items.length === 0) return [];
  const broken = items.filter(({ disks }) => disks.some(({ state }) => state !== "unread" && state !== "unreadable"));
  const unread = items.filter((item) => !broken.includes(item));
  const why = ({ id, disks }: LeftOut) =>
    `${id} (${disks.map((at) => `${at.disk}: ${COVER_WORDS[at.state]}`).join(", ")})`;
  return [
    ...(broken.length > 0 ? [`Left out until healed: ${nameList(broken.map(why))}.`] : []),
    ...(unread.length > 0
      ? [`Left out because it cannot be told whether they are healthy: ${nameList(unread.map(why))}.`]
      : []),
  ];
}

export function nothingToDefine(items: readonly LeftOut[]): string {
  if (items.length === 0) return "libvirt's list agrees with the record.";
  return `Nothing that is healthy is missing in libvirt's list. ${leftOut(items).join(" ")}`;
}

export function forbidden(disks: readonly string[]): string {
  return `This host forbids QMP: whether the bitmaps on ${nameList(disks)} are there is not known, and libvirt does not check it either.`;
}

export function stillDistrusted(disks: readonly string[]): string {
  return `${nameList(disks)} stays distrusted until healed: the next backup there is full all the same.`;
}

// ------------------------------------------------------------------ heal

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

// ------------------------------------------------------------------ prune, remove, adopt

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

// ------------------------------------------------------------------ backup

type BackupDisk = {
  target: string;
  mode: "full" | "incremental";
  base: string | null;
  inCheckpoint: boolean;
  why: string | null;
  estimatedBytes: number | null;
};

export function backedUp(
  id: string,
  disks: readonly BackupDisk[],
  skipped: readonly { disk: string; why: string }[],
): string[] {
  const lines = skipped.map(({ disk, why }) => `${disk} is NOT backed up: ${why}`);
  for (const disk of disks) lines.push(backupLine(disk));
  const covered = disks.filter(({ inCheckpoint }) => inCheckpoint).map(({ target }) => target);
  lines.push(
    covered.length > 0
      ? `Checkpoint ${id} is made for ${nameList(covered)}. It is a base only when the backup has finished.`
      : "No checkpoint is made: none of these images can hold a bitmap.",
  );
  return lines;
}

function backupLine({ target, mode, base, why, estimatedBytes }: BackupDisk): string {
  if (mode === "full") return why === null ? `${target}: full, as asked.` : `${target}: full. ${why}`;
  const size = estimatedBytes === null ? "size not known" : `about ${formatBytes(estimatedBytes)}`;
  return `${target}: incremental from ${base}, ${size}.`;
}

export function noRestorePoint(base: string | null): string {
  return `No finished backup of ${base ?? "the base"} is in a repository that an increment could be put on.`;
}

// ------------------------------------------------------------------ repair-record

export function relinked(items: readonly { checkpointId: string; parentId: string | null }[]): string {
  const links = items.map(
    ({ checkpointId, parentId }) => `${checkpointId} ${parentId === null ? "becomes a root" : `under ${parentId}`}`,
  );
  return `Recorded links are repaired: ${nameList(links)}. The host is not changed.`;
}

export function retired(disks: readonly string[]): string {
  return `${nameList(disks)} ${are(disks.length)} no longer expected. Backups already made stay.`;
}

export function accepted(findings: number, disks: readonly string[]): string[] {
  return [
    ...disks.map((disk) => `The image that is behind ${disk} now counts as its image, with its bitmaps as they are.`),
    ...(findings > 0 ? [`${counted(findings, "finding")} ${are(findings)} accepted: listed still, but no alarm.`] : []),
  ];
}

export function statementLoss(disk: string): { id: string; text: string } {
  const text = `You state that the image behind ${disk} was moved on purpose with its bitmaps intact. If that is wrong, incremental backups of ${disk} will hold wrong data.`;
  return { id: `statement|${disk}`, text };
}

export function backupEnded(aborts: boolean, closes: boolean, id: string | null): string[] {
  const of = id === null ? "" : ` of checkpoint ${id}`;
  return [
    ...(aborts ? ["The job that holds the VM is aborted. What it has written so far is of no use."] : []),
    ...(closes
      ? [`The backup${of} is recorded as failed. What it made is no base and can be removed afterwards.`]
      : []),
  ];
}

export function jobLoss(id: string | null): { id: string; text: string } {
  return {
    id: "job",
    text: id === null ? "The running job and what it has done so far." : `The running backup of ${id}.`,
  };
}

// ------------------------------------------------------------------ for every plan

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
