/**
 * The agent's own folder in a repository. Others may write to a repository: what they put in its place is not used, so that
 * nobody leads the agent's notes and temporary files elsewhere, or makes up notes.
 */
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { HostFailure, observeError } from "../failure.ts";
import { OWN_FOLDER } from "./paths.ts";

type Part = "jobs" | "tmp";

const foldersOf = (repository: string, part: Part): [string, string] => [
  join(repository, OWN_FOLDER),
  join(repository, OWN_FOLDER, part),
];

/** A folder that is no link, and that this account has made. */
async function isOwn(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => null);
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}

/** Where the folder is, made if it is not there. @throws HostFailure permission-denied: something else is in its place */
export async function makeOwnFolder(repository: string, part: Part): Promise<string> {
  const [outer, inner] = foldersOf(repository, part);
  for (const folder of [outer, inner]) {
    await mkdir(folder, { mode: 0o700 }).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== "EEXIST") throw thrown;
    });
    if (await isOwn(folder)) continue;
    const message = `${folder} was not made by the agent's account, or is no folder: remove it.`;
    throw new HostFailure(observeError("permission-denied", message));
  }
  return inner;
}

/** Where the folder is; null: there is none of our own. */
export async function findOwnFolder(repository: string, part: Part): Promise<string | null> {
  const [outer, inner] = foldersOf(repository, part);
  return (await isOwn(outer)) && (await isOwn(inner)) ? inner : null;
}
