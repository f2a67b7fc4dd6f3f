/** A folder inside a lab's repository that takes only so much: to see what a full disk does. */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Lab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";

const run = promisify(execFile);

export type SmallFolder = {
  path: string;
  /** What the host says of a write that finds no room. */
  words: RegExp;
  close: () => Promise<void>;
};

/**
 * A file system of its own where this machine lets us mount one. Elsewhere (a plain container) the VM's QEMU gets a limit
 * for the size of its files: also no room, in other words of the kernel.
 */
export async function openSmallFolder(lab: Lab, vm: LabVm, bytes: number): Promise<SmallFolder> {
  const path = join(lab.repository, "small");
  mkdirSync(path, { mode: 0o777 });
  const words = /No space left on device|File too large/;
  try {
    const account = lab.context.account;
    const owner = account === null ? "" : `,uid=${account.uid},gid=${account.gid}`;
    await run("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=755${owner}`, "tmpfs", path]);
    return {
      path,
      words,
      close: async () => {
        await run("umount", [path]);
        rmSync(path, { recursive: true });
      },
    };
  } catch {
    const limit = (value: string) => run("prlimit", ["--pid", String(vm.process().pid), `--fsize=${value}`]);
    await limit(`${bytes}:unlimited`);
    return {
      path,
      words,
      close: async () => {
        await limit("unlimited");
        rmSync(path, { recursive: true });
      },
    };
  }
}
