/** Tells one run of a domain from the next: process id and start time of its QEMU. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { HostFailure, observeError } from "../failure.ts";

type Process = { pid: number; startTime: string };

const bootId = readText("/proc/sys/kernel/random/boot_id")?.slice(0, 8) ?? "";

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process ended, or it is not ours to see.
    return null;
  }
}

/** Clock ticks since boot at which the process started; null when it is gone or a zombie. */
export function readStartTime(pid: number): string | null {
  const stat = readText(`/proc/${pid}/stat`);
  // The second field is the name in parentheses and may hold anything, so count from the last one.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields === undefined || fields[0] === "Z" || fields[0] === "X") return null;
  return fields[19] ?? null;
}

/** Names this agent's process for ever: no other will have the same process id and start. */
export const AGENT_NAME = `${process.pid}-${readStartTime(process.pid)}`;
export function isAgentAlive(name: string): boolean {
  const [pid, start] = name.split("-");
  return readStartTime(Number(pid)) === start;
}

/** A running domain, as far as its QEMU is found by it. `domainId`: libvirt's id of this run; null: it does not run. */
export type Run = { vmId: string; name: string; domainId: number | null };
export type QemuAccount = { uid: number; gid: number };
export type QemuProcess = Process & QemuAccount;
type Candidate = QemuProcess & { near: number };

/**
 * Finds the QEMU of a domain: the process that libvirt's own pid file names, or, where that cannot be read, the only
 * account's that has the domain's `-uuid` among its arguments. Arguments can be made up by anybody on this machine: where
 * processes of several accounts claim a domain, which is its QEMU is not known.
 */
export class RuntimeIds {
  readonly #known = new Map<string, QemuProcess>();
  #scanned: Map<string, Candidate[]> | null = null;
  /** Tells two hosts on one machine apart: the daemon's own folder is nearest to its QEMU's files. */
  readonly #socketPath: string;
  readonly #pidFolder: string | null;

  constructor(uri: string) {
    this.#socketPath = decodeURIComponent(/[?&]socket=([^&]*)/.exec(uri)?.[1] ?? "");
    this.#pidFolder = pidFolderOf(uri);
  }

  /** What was seen of all processes holds for one request: it serves many domains, and no run that begins later. */
  beginRequest(): void {
    this.#scanned = null;
  }

  /** `pid-start-boot`, or `domain-<id>-boot` where the process cannot be told or seen (another PID namespace, hidepid). */
  find(run: Run): string {
    const [process, ...others] = this.#look(run);
    if (process === undefined || others.length > 0) return `domain-${run.domainId ?? "?"}-${bootId}`;
    return `${process.pid}-${process.startTime}-${bootId}`;
  }

  /** null: there is none, or it cannot be seen. @throws HostFailure where it cannot be told which it is */
  findProcess(run: Run): QemuProcess | null {
    const [process, ...others] = this.#look(run);
    if (process === undefined) return null;
    if (others.length === 0) return process;
    const words = [process, ...others].map(({ pid, uid }) => `process ${pid} of user ${uid}`).join(", ");
    throw new HostFailure(observeError("permission-denied", MANY_ACCOUNTS, words));
  }

  /** The process; several where accounts differ. */
  #look(run: Run): QemuProcess[] {
    const named = this.#readPidFile(run);
    if (named !== null) return [named];
    const key = `${run.vmId} ${run.domainId ?? ""}`;
    const cached = this.#known.get(key);
    if (cached !== undefined && readStartTime(cached.pid) === cached.startTime) return [cached];
    let found = (this.#scanned?.get(run.vmId) ?? []).filter((one) => readStartTime(one.pid) === one.startTime);
    // What another domain of this request made us see may be older than this run: good for the answer, and not kept.
    const isFresh = found.length === 0;
    if (isFresh) {
      this.#scanned = this.#scan();
      found = this.#scanned.get(run.vmId) ?? [];
    }
    const nearest = found.reduce<Candidate | null>((best, one) => (one.near > (best?.near ?? -1) ? one : best), null);
    if (nearest === null || new Set(found.map(({ uid }) => uid)).size > 1) return found;
    if (isFresh) this.#known.set(key, nearest);
    return [nearest];
  }

  #readPidFile({ vmId, name }: Run): QemuProcess | null {
    if (this.#pidFolder === null) return null;
    const pid = Number(readText(join(this.#pidFolder, `${name}.pid`)) ?? Number.NaN);
    // One of a QEMU that was killed with its libvirt may be left; its number may be another's by now.
    return Number.isInteger(pid) && uuidOf(readArguments(pid)) === vmId ? readProcess(pid) : null;
  }

  #scan(): Map<string, Candidate[]> {
    const found = new Map<string, Candidate[]>();
    for (const entry of readdirSync("/proc")) {
      const pid = Number(entry);
      if (!Number.isInteger(pid)) continue;
      const args = readArguments(pid);
      const vmId = args[0]?.includes("qemu") ? uuidOf(args) : undefined;
      const process = vmId === undefined ? null : readProcess(pid);
      if (vmId === undefined || process === null) continue;
      const near = Math.max(...args.map((arg) => commonPath(arg, this.#socketPath)));
      found.set(vmId, [...(found.get(vmId) ?? []), { ...process, near }]);
    }
    return found;
  }
}

const MANY_ACCOUNTS =
  "Which process is this VM's QEMU cannot be told: those of several accounts bear its UUID, and libvirt's own note of it cannot be read.";

const readArguments = (pid: number): string[] => readText(`/proc/${pid}/cmdline`)?.split("\0") ?? [];

function uuidOf(args: string[]): string | undefined {
  const at = args.indexOf("-uuid");
  return at > 0 ? args[at + 1] : undefined;
}

/** The account from the status, for the folder in /proc is root's where a process hides itself; null: it is gone. */
function readProcess(pid: number): QemuProcess | null {
  const startTime = readStartTime(pid);
  const status = readText(`/proc/${pid}/status`);
  const [uid, gid] = ["Uid", "Gid"].map(
    (what) => new RegExp(`^${what}:\\s+\\d+\\s+(\\d+)`, "m").exec(status ?? "")?.[1],
  );
  if (startTime === null || uid === undefined || gid === undefined) return null;
  // Both of one process: its number may have become another's in between.
  return readStartTime(pid) === startTime ? { pid, startTime, uid: Number(uid), gid: Number(gid) } : null;
}

/**
 * Where a libvirt on this machine notes the process of each running domain as `<name>.pid`; null: a remote one.
 *
 * | driver     | folder                                                     |
 * |------------|------------------------------------------------------------|
 * | system     | `qemu` beside the daemon's socket, /run/libvirt by default |
 * | session    | `qemu/run` beside the socket, in the user's runtime folder |
 * | embed      | `run/qemu` below its root                                  |
 */
export function pidFolderOf(uri: string): string | null {
  const url = URL.parse(uri);
  if (url === null || url.hostname !== "") return null;
  const socket = url.searchParams.get("socket");
  const besides = socket === null ? null : dirname(socket);
  if (url.pathname === "/system") return join(besides ?? "/run/libvirt", "qemu");
  const root = url.searchParams.get("root");
  if (url.pathname === "/embed") return root === null ? null : join(root, "run", "qemu");
  if (url.pathname !== "/session") return null;
  const own = process.env.XDG_RUNTIME_DIR;
  const folder = besides ?? (own === undefined ? null : join(own, "libvirt"));
  return folder === null ? null : join(folder, "qemu", "run");
}

/** Length of the longest start of `path` that occurs in `arg`, in folders. */
function commonPath(arg: string, path: string): number {
  const folders = path.split("/").filter((f) => f !== "");
  let depth = 0;
  while (depth < folders.length && arg.includes(`/${folders.slice(0, depth + 1).join("/")}/`)) depth += 1;
  return depth;
}
