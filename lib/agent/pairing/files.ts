/** Small files that only the agent's own account may read. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from "node:fs";

/** Replaces a file whole, or not at all, whenever the machine stops. Mode 0600. */
export function writePrivate(path: string, text: string): void {
  const fresh = `${path}.new`;
  const file = openSync(fresh, "w", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
}

/** Null: there is no such file. @throws when others than its owner may read it: it is no secret any more */
export function readPrivate(path: string): string | null {
  let mode: number;
  try {
    mode = statSync(path).mode;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  if ((mode & 0o077) !== 0) {
    throw new Error(`${path} may be read or written by others (mode ${(mode & 0o777).toString(8)}): make it 0600`);
  }
  return readFileSync(path, "utf8");
}
