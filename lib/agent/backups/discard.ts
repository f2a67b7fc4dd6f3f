/** Removes the files of a backup that did not finish: named ones, regular ones, inside a repository, not in use. */
import type { DiscardFilesInput, DiscardFilesResult } from "#contract/agent-operations.ts";
import { invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { removeEmptyFolders, removeFile } from "./files.ts";
import { checkRemovable, type SafePath } from "./paths.ts";

/**
 * @param isHeld whether somebody writes to each of these files, in the same order
 * @throws ProblemError invalid_input naming every path that is not to be touched, `conflict` while one is written to:
 * then nothing was removed. HostFailure when one cannot be removed
 */
export async function discardFiles(
  repositories: readonly string[],
  { paths }: DiscardFilesInput,
  isHeld: (paths: string[]) => Promise<boolean[]>,
): Promise<DiscardFilesResult> {
  const offences: { field: string; reason: string }[] = [];
  const there = new Map<string, SafePath>();
  const absent: string[] = [];
  const gone: SafePath[] = [];
  for (const [i, path] of paths.entries()) {
    const checked = await checkRemovable(repositories, path);
    if (!checked.ok) offences.push({ field: `paths[${i}]`, reason: checked.reason });
    else if (checked.isAbsent) {
      absent.push(path);
      gone.push(checked.at);
    } else there.set(checked.at.real, checked.at);
  }
  if (offences.length > 0) throw invalidInput(offences);
  const files = [...there.values()];
  const held = files.length === 0 ? [] : await isHeld(files.map(({ real }) => real));
  const busy = files.find((_, i) => held[i]);
  if (busy !== undefined) {
    throw new ProblemError(
      "conflict",
      "Somebody writes to this file: abort the backup first; where there is none, it ends when the VM stops.",
      { subject: busy.path },
    );
  }
  for (const file of files) await removeFile(file);
  // An agent that was killed while it made them leaves folders without a file.
  for (const file of gone) await removeEmptyFolders(file);
  return { removed: files.map(({ path }) => path), absent };
}
