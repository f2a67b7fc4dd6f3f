/**
 * Where a backup may lie. Every path of a request goes through here and comes out with its links resolved; what is
 * outside a listed repository, now or after a link is followed, never reaches a tool.
 */
import { lstat, realpath, stat } from "node:fs/promises";
import { dirname, join, sep } from "node:path";

/** The agent's own folder in each repository: notes of jobs and temporary files. No backup may lie in it. */
export const OWN_FOLDER = ".driftline";

/** `real` has no link in it and lies inside `repository`, which has none either. */
export type SafePath = { path: string; real: string; repository: string };
export type Checked = { ok: true; at: SafePath } | { ok: false; reason: string };

const refuse = (reason: string): Checked => ({ ok: false, reason });
export const isInside = (path: string, folder: string): boolean => path.startsWith(folder === sep ? sep : folder + sep);
// biome-ignore lint/suspicious/noControlCharactersInRegex: XML cannot carry them
const CONTROL = /[\u0000-\u001f\u007f]/;

const codeOf = (thrown: unknown): string => (thrown as NodeJS.ErrnoException).code ?? String(thrown);
/** What is there, a link not followed; null: nothing. @throws whatever else than absence */
async function look(path: string) {
  try {
    return await lstat(path);
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return null;
    throw thrown;
  }
}

function refuseByForm(path: string): string | null {
  if (!path.startsWith("/")) return "is not an absolute path";
  if (CONTROL.test(path)) return "has a control character";
  // Half a character becomes another one in a file's name: two paths would be one file.
  if (!path.isWellFormed()) return "is not valid Unicode";
  const parts = path.slice(1).split("/");
  if (parts.includes("..")) return "has '..' in it";
  if (parts.includes("") || parts.includes(".")) return "has an empty part or '.' in it";
  if (parts.some((part) => Buffer.byteLength(part) > 255)) return "has a part of more than 255 bytes";
  return null;
}

/** The deepest folder above `path` that exists. @throws ELOOP, EACCES, ENOTDIR; a link that leads nowhere is an Error */
async function resolveAncestor(path: string): Promise<string> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const found = await look(folder);
    if (found === null) continue;
    const real = await realpath(folder);
    if (!(await stat(real)).isDirectory()) throw new Error("goes through something that is not a folder");
    const rest = dirname(path).slice(folder.length);
    return join(real, rest);
  }
}

/** Checks one path against the repositories. `real` is where it is, or would be; nothing is made. */
async function resolvePath(repositories: readonly string[], path: string): Promise<Checked> {
  const wrong = refuseByForm(path);
  if (wrong !== null) return refuse(wrong);
  const listed = repositories.find((repository) => isInside(path, repository.replace(/\/+$/, "")));
  if (listed === undefined) return refuse("is not inside a repository that this agent's configuration lists");
  try {
    const repository = await realpath(listed);
    const real = join(await resolveAncestor(path), path.slice(path.lastIndexOf("/") + 1));
    if (!isInside(real, repository)) return refuse("leaves its repository through a link");
    if (real === join(repository, OWN_FOLDER) || isInside(real, join(repository, OWN_FOLDER))) {
      return refuse(`is inside ${OWN_FOLDER}, which is the agent's own`);
    }
    return { ok: true, at: { path, real, repository } };
  } catch (thrown) {
    const code = codeOf(thrown);
    if (code === "ENOENT") return refuse("goes through a link that leads nowhere, or its repository is not there");
    if (code === "ELOOP") return refuse("goes through links that lead in a circle");
    if (code === "ENOTDIR") return refuse("goes through something that is not a folder");
    if (code === "EACCES") return refuse("is in a folder that the agent may not enter");
    return refuse(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

/** A file that is to be made: nothing may be there, not even a link. */
export async function checkNewFile(repositories: readonly string[], path: string): Promise<Checked> {
  const checked = await resolvePath(repositories, path);
  if (!checked.ok) return checked;
  return (await look(checked.at.real)) === null ? checked : refuse("exists already");
}

/** A regular file that is there; a link in its place is refused. */
export async function checkFile(repositories: readonly string[], path: string): Promise<Checked> {
  const checked = await resolvePath(repositories, path);
  if (!checked.ok) return checked;
  const found = await look(checked.at.real);
  if (found === null) return refuse("does not exist");
  return found.isFile() ? checked : refuse("is not a regular file");
}

/** A regular file, or nothing at all: what is to be removed. */
export async function checkRemovable(
  repositories: readonly string[],
  path: string,
): Promise<Checked & { isAbsent?: boolean }> {
  const checked = await resolvePath(repositories, path);
  if (!checked.ok) return checked;
  const found = await look(checked.at.real);
  if (found === null) return { ...checked, isAbsent: true };
  return found.isFile() ? checked : refuse("is not a regular file");
}
