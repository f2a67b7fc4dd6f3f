/** PostgreSQL's programs where the account that runs them can reach them. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, lstatSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { databaseUser } from "./embedded-user.ts";

export type Binaries = { postgres: string; initdb: string };

/**
 * As they are where that works. Below a directory of root's (a checkout in /root) they are copied, once a version, to a
 * directory that only root may write to: both programs look themselves up with access(2), which leaves capabilities out.
 */
export function reachableBinaries(given: Binaries): Binaries {
  const user = databaseUser();
  if (!user || spawnSync(given.initdb, ["--version"], { ...user, cwd: "/", stdio: "ignore" }).status === 0)
    return given;
  const native = path.dirname(path.dirname(given.initdb));
  const version = spawnSync(given.initdb, ["--version"], { encoding: "utf8" })
    .stdout.trim()
    .replaceAll(/[^\w.]+/g, "-");
  const place = path.join(tmpdir(), `driftline-${version}`);
  const inside = (root: string): Binaries => ({
    postgres: path.join(root, "bin", path.basename(given.postgres)),
    initdb: path.join(root, "bin", path.basename(given.initdb)),
  });
  if (isRoots(place) && existsSync(path.join(place, ".complete"))) return inside(place);
  // Complete before it has its name; whoever else holds that name keeps it, and we keep ours.
  const fresh = mkdtempSync(path.join(tmpdir(), "driftline-postgres-"));
  cpSync(native, fresh, { recursive: true, verbatimSymlinks: true });
  writeFileSync(path.join(fresh, ".complete"), "");
  chmodSync(fresh, 0o755);
  try {
    renameSync(fresh, place);
    return inside(place);
  } catch {
    if (!isRoots(place) || !existsSync(path.join(place, ".complete"))) return inside(fresh);
    rmSync(fresh, { recursive: true, force: true });
    return inside(place);
  }
}

/** A real directory of root's that nobody else may write to. */
function isRoots(place: string): boolean {
  const found = lstatSync(place, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === 0 && (found.mode & 0o022) === 0;
}
