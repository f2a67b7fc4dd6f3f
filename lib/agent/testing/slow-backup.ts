/** Makes a backup job last as long as a test wants: QEMU copies a small image in a blink. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { LabVm } from "#lab/vm.ts";
import { until } from "./until.ts";

const SLOW_BYTES_PER_SECOND = 64 * 1024;

/** virsh as a shell: a command takes a few ms there, and the job that is to be caught lives for 100. */
class VirshShell {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #vmId: string;
  #text = "";

  constructor(uri: string, vmId: string) {
    this.#vmId = vmId;
    this.#child = spawn("virsh", ["-q", "-c", uri], { env: { ...process.env, LC_ALL: "C" } });
    this.#child.stdout.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
    });
  }

  async qmp(execute: string, args?: Record<string, unknown>): Promise<{ return?: unknown; error?: unknown }> {
    this.#text = "";
    const command = JSON.stringify({ execute, ...(args ? { arguments: args } : {}) });
    this.#child.stdin.write(`qemu-monitor-command ${this.#vmId} '${command}'\n`);
    return await until(`an answer to ${execute}`, 10_000, () => {
      const line = /^\{.*\}$/m.exec(this.#text)?.[0];
      return line === undefined ? null : JSON.parse(line);
    });
  }

  close(): void {
    this.#child.stdin.end();
  }
}

export type SlowBackup = {
  /** Resolves when a job on the disk has been caught. */
  caught: Promise<void>;
  /** Lets it go at full speed. */
  release(): Promise<void>;
  close(): void;
};

/** Call before the backup begins: the next job on the disk is held at 64 KiB a second. */
export async function slowDownNextBackup(uri: string, vm: LabVm, target: string): Promise<SlowBackup> {
  const shell = new VirshShell(uri, vm.id);
  await shell.qmp("query-jobs");
  let device = "";
  const setSpeed = async (speed: number): Promise<boolean> => {
    const answer = await shell.qmp("block-job-set-speed", { device, speed });
    return answer.error === undefined;
  };
  const caught = (async () => {
    const deadline = Date.now() + 20_000;
    while (Date.now() < deadline) {
      const { return: jobs } = await shell.qmp("query-jobs");
      const job = (jobs as { id: string }[]).find(({ id }) => id.startsWith(`backup-${target}-`));
      device = job?.id ?? "";
      if (job !== undefined && (await setSpeed(SLOW_BYTES_PER_SECOND))) return;
    }
    throw new Error("no backup job was there to be slowed down");
  })();
  caught.catch(() => undefined);
  return {
    caught,
    async release() {
      if (!(await setSpeed(0))) throw new Error("the job is not there any more");
    },
    close: () => shell.close(),
  };
}
