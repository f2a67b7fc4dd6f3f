/** Starts the real agent with a configuration of its own, the way it is started in production, and talks HTTP to it. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AgentClient } from "./agent-client.ts";

const READY = /^driftline-agent ready: (\S+)$/m;
const START_MS = 20_000;

export type AgentOptions = {
  libvirtUri: string;
  qmp?: "allow" | "forbid";
  repositories?: string[];
  /**
   * Runs as this account, in these further groups, with the umask and without the capabilities that its systemd unit
   * leaves it. The tests are root, which no permission stops.
   */
  as?: { uid: number; gid: number; groups: number[] };
  /** False: the machine's TMPDIR instead of one of its own. */
  ownTmp?: boolean;
};

type Account = NonNullable<AgentOptions["as"]>;
/** With its slash. */
const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));
/** Where the clone is shown to an account that cannot reach it. */
const PLACE = "project";

export class AgentProcess extends AgentClient {
  readonly child: ChildProcess;
  readonly #folder: string;

  private constructor(address: string, token: string, child: ChildProcess, folder: string) {
    super(address, token);
    this.child = child;
    this.#folder = folder;
  }

  static async start({
    libvirtUri,
    qmp = "allow",
    repositories = [],
    as,
    ownTmp = true,
  }: AgentOptions): Promise<AgentProcess> {
    const folder = await mkdtemp(join(tmpdir(), "dl-agent-test-"));
    const token = randomBytes(24).toString("hex");
    const file = join(folder, "agent.json");
    const tokenSha256 = [createHash("sha256").update(token).digest("hex")];
    const config = { name: "test", listen: "127.0.0.1:0", libvirtUri, tokenSha256, qmp, repositories };
    await writeFile(file, JSON.stringify(config));
    if (as !== undefined) await chown(folder, as.uid, as.gid);
    // QEMU, another account, must reach the sockets that the agent makes below its TMPDIR.
    await chmod(folder, 0o711);
    await chmod(file, 0o644);
    const own = [process.execPath, join(PROJECT, "lib/agent/main.ts"), "--config", file];
    const [command = "", ...args] = as === undefined ? own : await runAs(as, own, join(folder, PLACE));
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, HOME: folder, ...(ownTmp ? { TMPDIR: folder } : {}) },
    });
    try {
      return new AgentProcess(await readAddress(child), token, child, folder);
    } catch (thrown) {
      child.kill("SIGKILL");
      await removeFolder(folder);
      throw thrown;
    }
  }

  /** SIGKILL: nothing is closed, nothing is written. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.stop();
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    const code = await new Promise<number | null>((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return resolve(this.child.exitCode);
      this.child.once("exit", (exit) => resolve(exit));
      this.child.kill("SIGTERM");
    });
    await removeFolder(this.#folder);
    return code;
  }
}

/** @throws before anything is removed when the clone can be seen in the folder from here too */
async function removeFolder(folder: string): Promise<void> {
  await rmdir(join(folder, PLACE)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rm(folder, { recursive: true, force: true });
}

/**
 * The command as the account runs it. A clone below a home that is closed to it is shown to this one process at `place`.
 * Each of these becomes the next, so the pid stays.
 */
async function runAs(account: Account, command: string[], place: string): Promise<string[]> {
  const asUnit = asInUnit(account);
  const [look = "", ...args] = [...asUnit, "test", "-r", join(PROJECT, "package.json")];
  const [code] = await once(spawn(look, args), "exit");
  if (code === 0) return [...asUnit, ...command];
  await mkdir(place);
  const moved = command.map((word) => (word.startsWith(PROJECT) ? join(place, word.slice(PROJECT.length)) : word));
  const show = 'place=$1; shift; mount --bind "$0" "$place" && cd "$place" && exec "$@"';
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", show, PROJECT, place, ...asUnit, ...moved];
}

/** What stands before a command that runs as in the unit. */
function asInUnit({ uid, gid, groups }: Account): string[] {
  const account = [`--reuid=${uid}`, `--regid=${gid}`, groups.length > 0 ? `--groups=${groups}` : "--clear-groups"];
  const bare = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
  return ["sh", "-c", 'umask 0077; exec "$@"', "sh", "setpriv", ...account, ...bare, "--"];
}

/** The address of the ready line. @throws with the agent's own words when it ends or stays silent */
function readAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = "";
    let err = "";
    const timer = setTimeout(() => reject(new Error(`the agent did not get ready: ${err}`)), START_MS);
    child.stderr?.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      const address = READY.exec(out)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`the agent ended with ${code}: ${err}`));
    });
  });
}
