import { setTimeout as sleep } from "node:timers/promises";

/** Polls until `look` gives something; throws naming `what` at the deadline. */
export async function until<T>(what: string, withinMs: number, look: () => Promise<T | null> | T | null): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== false && found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}`);
    await sleep(50);
  }
}
