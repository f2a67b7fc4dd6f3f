/** What all words of plans are made of: names, counts, the state of a bitmap. */

export type BitmapName = { disk: string; bitmap: string };
export type CoverWord =
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

export const COVER_WORDS: Readonly<Record<CoverWord, string>> = {
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

export const checkpoints = (ids: readonly string[]) =>
  ids.length === 1 ? `Checkpoint ${ids[0]}` : `${counted(ids.length, "checkpoint")} (${nameList(ids)})`;
export const bitmapNames = (items: readonly BitmapName[]) =>
  nameList(items.map(({ disk, bitmap }) => `${bitmap} on ${disk}`));
export const are = (count: number) => (count === 1 ? "is" : "are");
