/** Engines that were paired: the SHA-256 of each one's token, and of the next one while a rotation is under way. */
import { join } from "node:path";
import { z } from "zod";
import { sha256Hex } from "#contract/common.ts";
import { ProblemError } from "#contract/problem.ts";
import { readPrivate, writePrivate } from "./files.ts";

const entrySchema = z.strictObject({
  engine: z.string(),
  sha256: sha256Hex,
  next: sha256Hex.nullable(),
  pairedAt: z.string(),
});
type Entry = z.infer<typeof entrySchema>;

const MOST_ENGINES = 100;

export class TokenStore {
  readonly #file: string | null;
  #entries: Entry[] = [];

  /** `folder` null: nothing is kept and nobody can be paired. */
  constructor(folder: string | null) {
    this.#file = folder === null ? null : join(folder, "tokens.json");
    const text = this.#file === null ? null : readPrivate(this.#file);
    if (text !== null) this.#entries = z.array(entrySchema).parse(JSON.parse(text));
  }

  /** Every hash that is taken now. */
  hashes(): string[] {
    return this.#entries.flatMap(({ sha256, next }) => (next === null ? [sha256] : [sha256, next]));
  }

  add(engine: string, sha256: string): void {
    if (this.#entries.length >= MOST_ENGINES) {
      throw new ProblemError("conflict", `This agent is paired with ${MOST_ENGINES} engines, and takes no more.`);
    }
    this.#save([...this.#entries, { engine, sha256, next: null, pairedAt: new Date().toISOString() }]);
  }

  /** Both the token that was sent and the new one are taken from now on. A third one is forgotten. */
  rotate(sent: string, fresh: string): number {
    this.#replace(sent, (entry) => ({ ...entry, sha256: sent, next: fresh }));
    return this.hashes().length;
  }

  /**
   * The token before the one that was sent is forgotten. One that came after it stays: a confirmation may arrive late,
   * when the next rotation has begun already.
   */
  confirm(sent: string): number {
    this.#replace(sent, (entry) => ({ ...entry, sha256: sent, next: entry.next === sent ? null : entry.next }));
    return this.hashes().length;
  }

  revoke(sent: string): number {
    this.#replace(sent, () => null);
    return this.hashes().length;
  }

  #replace(sent: string, change: (entry: Entry) => Entry | null): void {
    const own = this.#entries.find((entry) => entry.sha256 === sent || entry.next === sent);
    if (own === undefined) {
      throw new ProblemError("conflict", "This token stands in the agent's configuration, and is changed there.");
    }
    this.#save(this.#entries.flatMap((entry) => (entry === own ? (change(entry) ?? []) : [entry])));
  }

  #save(entries: Entry[]): void {
    if (this.#file === null) throw new ProblemError("conflict", "This agent has no stateDir to keep tokens in.");
    writePrivate(this.#file, JSON.stringify(entries, null, 2));
    this.#entries = entries;
  }
}
