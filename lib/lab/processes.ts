import { readdirSync, readFileSync } from "node:fs";
import { until } from "./tools.ts";

/** A process that cannot be mistaken for a later one with the same number: start time in clock ticks since boot. */
export type ProcessRef = { pid: number; startTicks: string };

/** Start time of a process in clock ticks since boot, or null when there is none (a zombie counts as none). */
function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in brackets and may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

export function refOf(pid: number): ProcessRef | null {
  const startTicks = startTicksOf(pid);
  return startTicks === null ? null : { pid, startTicks };
}

export function isAlive(ref: ProcessRef): boolean {
  return startTicksOf(ref.pid) === ref.startTicks;
}

export function argumentsOf(pid: number): string[] {
  return readList(`/proc/${pid}/cmdline`);
}

function environmentOf(pid: number): string[] {
  return readList(`/proc/${pid}/environ`);
}

function readList(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\0").filter(Boolean);
  } catch {
    return [];
  }
}

/** Marks every process that a lab starts, in its environment. */
export const MARK = "DRIFTLINE_LAB";

/**
 * The processes that the lab with this token and directory made, whoever recorded them. Proof is one of two:
 * the token in the environment (daemons, tools), or, for QEMU, whose environment libvirt clears,
 * the file of its master key inside one of this lab's hosts. Mentioning the directory is not enough.
 */
export function findOwnProcesses(dir: string, token: string): ProcessRef[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && isOwn(pid, dir, token))
    .map(refOf)
    .filter((ref) => ref !== null);
}

/** Whether this process is one that the lab made, see findOwnProcesses. */
function isOwn(pid: number, dir: string, token: string): boolean {
  return environmentOf(pid).includes(`${MARK}=${token}`) || isOwnQemu(argumentsOf(pid), dir);
}

function isOwnQemu(args: string[], dir: string): boolean {
  if (!args[0]?.includes("qemu-system")) return false;
  const secret = args.find((arg) => arg.includes("master-key.aes"));
  return secret?.includes(`"${dir}/h/`) === true;
}

/** SIGKILL to a process that is still the one meant, then waits until it is gone. */
export async function endProcess(ref: ProcessRef): Promise<void> {
  if (!isAlive(ref)) return;
  try {
    process.kill(ref.pid, "SIGKILL");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ESRCH") throw cause;
  }
  await until(`process ${ref.pid} to end`, 10_000, async () => !isAlive(ref));
}
