/** PostgreSQL refuses to run as root. This decides as whom it runs, and how it gets past directories of root's. */
import { execFileSync, type SpawnOptions, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export type RunAs = {
  /** null: as the user that we are. */
  user: { uid: number; gid: number } | null;
  /** Command in front, with its arguments; empty when none is needed. */
  prefix: string[];
};

const NOBODY = "nobody";

/** Looks a user up in /etc/passwd. */
function findUser(name: string): { uid: number; gid: number } {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = (line ?? "").split(":");
  if (!uid || !gid) throw new Error(`The database cannot run as root, and there is no user "${name}" to run it as.`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** The user that owns the data directory and the server. */
export function databaseUser(): { uid: number; gid: number } | null {
  return process.getuid?.() === 0 ? findUser(NOBODY) : null;
}

/**
 * How to start the server so that it reaches its binaries and its data. A checkout below /root is closed to
 * every other user: there the server gets the one capability to pass through directories (it still cannot write
 * to what it does not own).
 */
export function chooseRunAs(binary: string, dataDir: string): RunAs {
  const user = databaseUser();
  if (!user) return { user: null, prefix: [] };
  // Done and not asked: access(2), which `test -x` uses, leaves capabilities out.
  const reaches = (prefix: string[], options: SpawnOptions) => {
    const script = 'cd "$1" && : > .probe && rm .probe && exec "$0" --version';
    const [command = "", ...args] = [...prefix, "sh", "-c", script, binary, dataDir];
    return spawnSync(command, args, { ...options, stdio: "ignore", cwd: "/" } as object).status === 0;
  };
  if (reaches([], user)) return { user, prefix: [] };
  const prefix = [
    "setpriv",
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
  ];
  if (reaches(prefix, {})) return { user: null, prefix };
  throw new Error(
    `The embedded database runs as "${NOBODY}" and cannot reach ${dataDir} or ${binary}. ` +
      "Set DRIFTLINE_DATA_DIR to a directory that everybody may pass through, or set DATABASE_URL.",
  );
}

/** Runs a short command as the database's user and returns what it printed. */
export function runAs(as: RunAs, command: string, args: string[]): string {
  const [first = command, ...rest] = [...as.prefix, command, ...args];
  return execFileSync(first, rest, {
    ...(as.user ?? {}),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    cwd: "/",
  });
}
