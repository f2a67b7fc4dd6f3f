/** Holds a backup on a real host so that a test can do something in its middle. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { LabHost } from "#lab/host.ts";

const LIMIT_MS = 30_000;
/** The least that QEMU takes as a speed and that still moves. */
const SLOW_BYTES = 65_536;

type BlockJob = { device: string; type: string };

/** One virsh that stays: an answer takes a millisecond or two, where a process a call would come too late. */
class Shell {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #vmId: string;
  #text = "";
  #wake: () => void = () => {};

  constructor(host: LabHost, vmId: string) {
    this.#vmId = vmId;
    this.#child = spawn("virsh", ["-q", "-c", host.uri], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdout.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
      this.#wake();
    });
  }

  async qmp(command: object): Promise<unknown> {
    this.#text = "";
    this.#child.stdin.write(`qemu-monitor-command ${this.#vmId} '${JSON.stringify(command)}'\n`);
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      const line = /^.*(\{"(?:return|error)".*\})\s*$/m.exec(this.#text)?.[1];
      if (line) return (JSON.parse(line) as { return?: unknown }).return ?? null;
      if (Date.now() > deadline) throw new Error(`virsh stays silent: ${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 100);
      });
    }
  }

  close(): void {
    this.#child.stdin.end();
    this.#child.kill("SIGKILL");
  }
}

/** Waits for a backup job of QEMU's and slows it down as it appears. `letGo` lets it run on. */
export async function holdBackup(
  host: LabHost,
  vmId: string,
  begin: () => Promise<void>,
): Promise<{ letGo: () => Promise<void> }> {
  const shell = new Shell(host, vmId);
  const jobs = async () =>
    (((await shell.qmp({ execute: "query-block-jobs" })) ?? []) as BlockJob[]).filter((job) => job.type === "backup");
  const setSpeed = async (speed: number) => {
    for (const { device } of await jobs())
      await shell.qmp({ execute: "block-job-set-speed", arguments: { device, speed } });
  };
  try {
    await jobs();
    await begin();
    const deadline = Date.now() + LIMIT_MS;
    while ((await jobs()).length === 0) if (Date.now() > deadline) throw new Error("no backup began");
    await setSpeed(SLOW_BYTES);
    if ((await jobs()).length === 0) throw new Error("the backup was over before it could be held");
  } catch (error) {
    shell.close();
    throw error;
  }
  return {
    letGo: async () => {
      await setSpeed(0);
      shell.close();
    },
  };
}
