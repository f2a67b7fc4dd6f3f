/** What a redefine says. */
import { are, COVER_WORDS, type CoverWord, checkpoints, nameList } from "./names.ts";

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
