/** What a restore proof proves: pure, so that the verb, the command and the tests say the same. */
import type { VerifyItem } from "#contract/agent-operations.ts";

export type VerifiedDisk = Extract<VerifyItem, { type: "disk" }>;
export type Verdict = { ok: boolean; words: string };

/**
 * The disk is `equal` or `differs` only where the VM is stopped and nothing was written since; then it decides. The
 * digest was read back from the backup's own file: a backup that was wrong from the start is equal to it.
 *
 * | images | stopped disk   | recorded digest | verdict                                                        |
 * |--------|----------------|-----------------|----------------------------------------------------------------|
 * | bad    |                |                 | bad                                                            |
 * | good   | anything       | differs         | bad: what is restored is not what was written                  |
 * | good   | differs        | equal or none   | bad: the backup is wrong, or the disk was changed past QEMU    |
 * | good   | equal          | equal or none   | good: the disk itself                                          |
 * | good   | not comparable | equal           | good: the content of that time (a disk is written on)          |
 * | good   | not comparable | none            | cannot tell, so not good                                       |
 */
export function judgeDisk(recorded: string | null, item: VerifiedDisk | undefined): Verdict {
  if (!item) return { ok: false, words: "the answer says nothing of it" };
  const bad = item.images.find((image) => !image.ok);
  if (bad) return { ok: false, words: `${bad.path} is damaged: ${bad.error ?? `${bad.corruptions} corruptions`}` };
  if (item.sha256 === null) return { ok: false, words: item.error?.message ?? "it could not be restored" };
  if (recorded !== null && recorded !== item.sha256)
    return { ok: false, words: "what is restored differs from what was read back after the backup" };
  if (item.comparedWithDisk === "differs") return { ok: false, words: diskDiffers(recorded !== null, item.detail) };
  if (recorded !== null) {
    const also = item.comparedWithDisk === "equal" ? ", and equal to the stopped disk" : "";
    return { ok: true, words: `equal to the digest recorded when it was made${also}` };
  }
  if (item.comparedWithDisk === "equal") return { ok: true, words: "equal to the stopped disk" };
  return { ok: false, words: "it restores, but there is neither a recorded digest nor a stopped disk to compare with" };
}

function diskDiffers(isAsMade: boolean, where: string | null): string {
  return [
    isAsMade ? "the backup's file is as it was when it was made, but it" : "it",
    ` differs from the stopped disk${where === null ? "" : ` (${where})`}, to which nothing was written through QEMU since.`,
    " Either the backup was wrong from the start, or somebody changed the disk past QEMU, for instance put an older image back.",
    " Make a full backup of this disk",
  ].join("");
}

/** One line for the history. */
export function summarise(verdicts: readonly { target: string; verdict: Verdict }[]): { ok: boolean; detail: string } {
  return {
    ok: verdicts.length > 0 && verdicts.every(({ verdict }) => verdict.ok),
    detail: verdicts.map(({ target, verdict }) => `${target}: ${verdict.words}`).join("; "),
  };
}
