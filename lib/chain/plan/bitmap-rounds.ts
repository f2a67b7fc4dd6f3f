/** How bitmaps of a running VM are deleted: a plan that lists the calls and the agent that makes them say the same. */
import type { BitmapName } from "./model.ts";

/** Rounds of at most one bitmap a disk: each is one definition, and its deletion one transaction of QEMU. */
export function toRounds<T extends BitmapName>(items: readonly T[]): T[][] {
  const rounds: T[][] = [];
  const count = new Map<string, number>();
  for (const item of items) {
    const n = count.get(item.disk) ?? 0;
    count.set(item.disk, n + 1);
    const round = rounds[n];
    if (round === undefined) rounds[n] = [item];
    else round.push(item);
  }
  return rounds;
}

const wordsOf = ({ disk, bitmap }: BitmapName): string => `bitmap ${bitmap} on ${disk}`;

export const bitmapSubject = (items: readonly BitmapName[]): string => items.map(wordsOf).join(", ");

/** Whether a step with that subject deletes the bitmap. */
export const isSubject = (subject: string, item: BitmapName): boolean =>
  `, ${subject}, `.includes(`, ${wordsOf(item)}, `);
