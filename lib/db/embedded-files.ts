/** What lies in and around the embedded server's data directory, and who uses it now. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";

/** `sun_path` holds 107 bytes and PostgreSQL appends its own file name. */
const SOCKET_PATH_BYTES = 107;
const SOCKET_FILE = "/.s.PGSQL.5432";

/** A directory for the socket that is short enough, owned by `uid` and open to nobody else. */
export function prepareSocketDir(dataDir: string, user: { uid: number; gid: number } | null): string {
  const inside = path.join(dataDir, "socket");
  const hash = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  const fits = Buffer.byteLength(inside + SOCKET_FILE) <= SOCKET_PATH_BYTES;
  const dir = fits ? inside : `/tmp/driftline-pg-${hash}`;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const owner = user?.uid ?? process.getuid?.() ?? 0;
  const found = lstatSync(dir);
  // In /tmp anybody may have made it first; only root's and our own are taken over.
  if (!found.isDirectory() || (found.uid !== owner && found.uid !== (process.getuid?.() ?? 0))) {
    throw new Error(`${dir} belongs to somebody else; the embedded database needs it for its socket.`);
  }
  if (user) chownSync(dir, user.uid, user.gid);
  chmodSync(dir, 0o700);
  return dir;
}

/** Start time of a process in clock ticks since boot: with the pid it names one process for ever. */
function startTicks(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

const ownerFile = (dataDir: string) => path.join(dataDir, "postgres.owner");

export function writeOwner(dataDir: string): void {
  writeFileSync(ownerFile(dataDir), JSON.stringify({ pid: process.pid, start: startTicks(process.pid) }));
}

/** Pid of the process that started the server in this directory, when that process still lives. */
export function liveOwner(dataDir: string): number | null {
  try {
    const { pid, start } = JSON.parse(readFileSync(ownerFile(dataDir), "utf8")) as { pid: number; start: string };
    return start !== null && startTicks(pid) === start ? pid : null;
  } catch {
    return null;
  }
}

/** Pids of all server processes in this data directory: each has it as its working directory. */
export function serverProcesses(pgData: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === pgData && readlinkSync(`/proc/${pid}/exe`).endsWith("/postgres");
      } catch {
        return false;
      }
    });
}

/** Pid in the server's lock file, or null when there is none. */
export function lockedBy(pgData: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(path.join(pgData, "postmaster.pid"), "utf8"), 10);
    return Number.isInteger(pid) ? Math.abs(pid) : null;
  } catch {
    return null;
  }
}

/** Last lines of the server's log, for error messages. */
export function logTail(file: string, lines = 8): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  } catch {
    return "";
  }
}
