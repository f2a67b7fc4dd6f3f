import { spawn } from "node:child_process";
import type { Socket } from "node:net";

export class LockHeldError extends Error {
  constructor(path: string) {
    super(`Another process holds ${path}: two labs cannot share one directory.`);
    this.name = "LockHeldError";
  }
}

export type HeldLock = { release(): Promise<void> };

/**
 * Takes an exclusive lock on a file. A `flock` child holds it and ends when our end of its pipe closes,
 * so that SIGKILL of this process gives the lock back and nothing has to be judged stale.
 * `waitMs` 0: throws LockHeldError at once when somebody has it.
 */
export async function takeLock(path: string, waitMs = 0): Promise<HeldLock> {
  const patience = waitMs === 0 ? ["--nonblock"] : ["--timeout", String(waitMs / 1000)];
  const child = spawn("flock", [...patience, "--no-fork", path, "cat"], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true, // Ctrl-C in the terminal must not free the lock before we have cleaned up
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const isHeld = await new Promise<boolean>((resolve, reject) => {
    child.once("error", reject);
    child.stdout.once("data", () => resolve(true));
    child.once("close", () => resolve(false));
    child.stdin.on("error", () => {});
    child.stdin.write("held\n"); // echoed by cat, which only runs under the lock
  });
  if (!isHeld) throw new LockHeldError(path);
  child.unref();
  for (const pipe of [child.stdin, child.stdout] as Socket[]) pipe.unref();
  return {
    async release() {
      child.ref(); // until it has ended, or the caller's last act would be cut short
      child.stdin.end();
      await ended;
    },
  };
}
