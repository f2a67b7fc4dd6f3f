/** Tells one run of a domain from the next: process id and start time of its QEMU. */
import { readdirSync, readFileSync } from "node:fs";

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

/** Finds QEMU processes by the `-uuid` argument that libvirt gives to each; one scan of /proc serves many domains. */
export class RuntimeIds {
  readonly #known = new Map<string, Process>();
  /** Tells two hosts on one machine apart: the daemon's own folder is nearest to its QEMU's files. */
  readonly #socketPath: string;

  constructor(uri: string) {
    this.#socketPath = decodeURIComponent(/[?&]socket=([^&]*)/.exec(uri)?.[1] ?? "");
  }

  /**
   * `pid-start-boot`, or `domain-<id>-boot` where the process cannot be seen (another PID namespace, hidepid).
   * @param domainId libvirt's id of the running domain
   */
  find(vmId: string, domainId: number | null): string {
    const process = this.findProcess(vmId);
    return process === null ? `domain-${domainId ?? "?"}-${bootId}` : `${process.pid}-${process.startTime}-${bootId}`;
  }

  findProcess(vmId: string): Process | null {
    const cached = this.#known.get(vmId);
    if (cached !== undefined && readStartTime(cached.pid) === cached.startTime) return cached;
    this.#scan();
    return this.#known.get(vmId) ?? null;
  }

  #scan(): void {
    this.#known.clear();
    const nearness = new Map<string, number>();
    for (const entry of readdirSync("/proc")) {
      const pid = Number(entry);
      if (!Number.isInteger(pid)) continue;
      const args = readText(`/proc/${pid}/cmdline`)?.split("\0") ?? [];
      const at = args.indexOf("-uuid");
      const vmId = at > 0 && args[0]?.includes("qemu") ? args[at + 1] : undefined;
      const startTime = vmId === undefined ? null : readStartTime(pid);
      if (vmId === undefined || startTime === null) continue;
      const near = Math.max(...args.map((arg) => commonPath(arg, this.#socketPath)));
      if (near <= (nearness.get(vmId) ?? -1)) continue;
      nearness.set(vmId, near);
      this.#known.set(vmId, { pid, startTime });
    }
  }
}

/** Length of the longest start of `path` that occurs in `arg`, in folders. */
function commonPath(arg: string, path: string): number {
  const folders = path.split("/").filter((f) => f !== "");
  let depth = 0;
  while (depth < folders.length && arg.includes(`/${folders.slice(0, depth + 1).join("/")}/`)) depth += 1;
  return depth;
}
