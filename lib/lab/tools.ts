import { spawn } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The account that a root lab drops to: session daemons refuse nothing to it, and /dev/kvm is closed to it. */
const NOBODY = "nobody";

/** A tool of the machine that ended with an error, hung, or is not there. `stderr` holds its own words. */
class ToolError extends Error {
  readonly tool: string;
  readonly args: readonly string[];
  readonly stderr: string;
  readonly exitCode: number | null;

  constructor(tool: string, args: readonly string[], stderr: string, exitCode: number | null) {
    super(`${tool} ${args.join(" ").slice(0, 400)}: ${stderr.trim() || `exit code ${exitCode}`}`);
    this.name = "ToolError";
    this.tool = tool;
    this.args = args;
    this.stderr = stderr;
    this.exitCode = exitCode;
  }
}

export type Account = { uid: number; gid: number };

export type RunOptions = {
  /** Run as this account; needs root. */
  as?: Account | null;
  env?: NodeJS.ProcessEnv;
  /** Default 60 s: longer than libvirt's own 30 s lock timeout, which should answer first. */
  timeoutMs?: number;
};

/** Runs one tool with an argument array (never a shell) and answers its standard output. Throws ToolError. */
export function run(tool: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, [...args], {
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.as ?? {}),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let isLate = false;
    const timeoutMs = options.timeoutMs ?? 60_000;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(new ToolError(tool, args, cause.message, null));
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      const words = Buffer.concat(err).toString();
      if (isLate) reject(new ToolError(tool, args, `no answer within ${timeoutMs} ms. ${words}`, code));
      else if (code !== 0) reject(new ToolError(tool, args, words, code));
      else resolve(Buffer.concat(out).toString());
    });
  });
}

/** Where a tool of the search path is, or null. Directories of daemons are looked at too: a user's path may lack them. */
export function findTool(name: string): string | null {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  for (const folder of folders.filter(Boolean)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return null;
}

/** The architecture's own QEMU, which TCG runs without KVM. */
const QEMU_SYSTEM = process.arch === "arm64" ? "qemu-system-aarch64" : "qemu-system-x86_64";

const NEEDED: readonly { tool: string; debianPackage: string }[] = [
  { tool: "libvirtd", debianPackage: "libvirt-daemon" },
  { tool: "virsh", debianPackage: "libvirt-clients" },
  { tool: "qemu-img", debianPackage: "qemu-utils" },
  { tool: QEMU_SYSTEM, debianPackage: process.arch === "arm64" ? "qemu-system-arm" : "qemu-system-x86" },
  { tool: "nbdinfo", debianPackage: "libnbd-bin" },
  { tool: "unshare", debianPackage: "util-linux" },
  { tool: "setpriv", debianPackage: "util-linux" },
  { tool: "flock", debianPackage: "util-linux" },
  { tool: "hostname", debianPackage: "hostname" },
  { tool: "perl", debianPackage: "perl-base" },
];

/** Where Debian and Ubuntu put the QEMU driver of libvirtd: a package of its own since libvirt 4. */
const DRIVER_FOLDERS = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(
  (triplet) => `/usr/lib/${triplet}/libvirt/connection-driver/libvirt_driver_qemu.so`,
);

/**
 * Debian/Ubuntu packages that the lab needs and this machine lacks, sorted; empty when everything is there. The foreign
 * tool `virtnbdbackup` is not among them: only the scenarios named after it need it.
 */
export function missingTools(): string[] {
  const missing = new Set(NEEDED.filter(({ tool }) => findTool(tool) === null).map((entry) => entry.debianPackage));
  const isDebian = findTool("dpkg") !== null;
  if (isDebian && !DRIVER_FOLDERS.some(isReadable)) missing.add("libvirt-daemon-driver-qemu");
  return [...missing].sort();
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** The account for daemons, QEMU and images: `nobody` when we are root, otherwise ourselves (null: nothing to change). */
export function labAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${NOBODY}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  if (uid === undefined || gid === undefined)
    throw new Error(`This machine has no account "${NOBODY}" to run the lab as.`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** Polls until `probe` answers something other than null or false. Throws with `what` after the deadline. */
export async function until<T>(what: string, timeoutMs: number, probe: () => Promise<T | null | false>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await probe();
    if (answer !== null && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`Timed out after ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
