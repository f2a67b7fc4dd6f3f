/** What a restore proof proves: pure, so that the verb, the command and the tests say the same. */
import type { VerifyItem } from "#contract/agent-operations.ts";

export type VerifiedDisk = Extract<VerifyItem, { type: "disk" }>;
export type Verdict = { ok: boolean; words: string };

/**
 * | images | recorded digest | stopped disk   | verdict                                                    |
 * |--------|-----------------|----------------|------------------------------------------------------------|
 * | bad    |                 |                | bad                                                        |
 * | good   | equal           | anything       | good: the content of that time (a disk is written on)      |
 * | good   | differs         | anything       | bad: what is restored is not what was written              |
 * | good   | none            | equal          | good: the disk itself                                      |
 * | good   | none            | differs        | cannot tell, so not good: written to since, or wrong       |
 * | good   | none            | not comparable | cannot tell, so not good                                   |
 */
export function judgeDisk(recorded: string | null, item: VerifiedDisk | undefined): Verdict {
  if (!item) return { ok: false, words: "the answer says nothing of it" };
  const bad = item.images.find((image) => !image.ok);
  if (bad) return { ok: false, words: `${bad.path} is damaged: ${bad.error ?? `${bad.corruptions} corruptions`}` };
  if (item.sha256 === null) return { ok: false, words: item.error?.message ?? "it could not be restored" };
  if (recorded !== null) {
    if (recorded !== item.sha256)
      return { ok: false, words: "what is restored differs from what was read back after the backup" };
    const also = item.comparedWithDisk === "equal" ? ", and equal to the stopped disk" : "";
    return { ok: true, words: `equal to the digest recorded when it was made${also}` };
  }
  if (item.comparedWithDisk === "equal") return { ok: true, words: "equal to the stopped disk" };
  if (item.comparedWithDisk === "differs")
    return {
      ok: false,
      words: `differs from the stopped disk, and no digest is recorded: ${item.detail ?? ""}`.trim(),
    };
  return { ok: false, words: "it restores, but there is neither a recorded digest nor a stopped disk to compare with" };
}

/** One line for the history. */
export function summarise(verdicts: readonly { target: string; verdict: Verdict }[]): { ok: boolean; detail: string } {
  return {
    ok: verdicts.length > 0 && verdicts.every(({ verdict }) => verdict.ok),
    detail: verdicts.map(({ target, verdict }) => `${target}: ${verdict.words}`).join("; "),
  };
}
