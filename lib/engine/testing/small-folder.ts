/** A folder inside a lab's repository that takes only so much: to see what a full disk does. */
import { execFile } from "node:child_process";
import { chownSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Lab } from "#lab/lab.ts";
import type { LabVm } from "#lab/vm.ts";

const run = promisify(execFile);

export type SmallFolder = {
  path: string;
  /** What the host says of a write that finds no room, and what our explanation says. */
  words: { host: RegExp; ours: string };
  close: () => Promise<void>;
};

/**
 * A file system of its own where this machine lets us mount one. Elsewhere (a plain container) the VM's QEMU gets a limit
 * for the size of its files: also no room, in other words of the kernel.
 */
export async function openSmallFolder(lab: Lab, vm: LabVm, bytes: number): Promise<SmallFolder> {
  const path = join(lab.repository, "small");
  mkdirSync(path);
  const { account } = lab.context;
  if (account !== null) chownSync(path, account.uid, account.gid);
  try {
    const owner = account === null ? "" : `,uid=${account.uid},gid=${account.gid}`;
    await run("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=755${owner}`, "tmpfs", path]);
    return {
      path,
      words: { host: /No space left on device/, ours: "no space" },
      close: async () => {
        await run("umount", [path]);
        rmSync(path, { recursive: true, force: true });
      },
    };
  } catch {
    // As QEMU's own account, which may lower and raise its soft limit.
    const limit = (value: string) =>
      run("prlimit", ["--pid", String(vm.process().pid), `--fsize=${value}:`], account ?? {});
    await limit(String(bytes));
    return {
      path,
      words: { host: /File too large/, ours: "" },
      close: async () => {
        await limit("unlimited");
        rmSync(path, { recursive: true, force: true });
      },
    };
  }
}
