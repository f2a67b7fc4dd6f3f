/** A tool that works for long and prints how far it is (`-p`): time bounded, output kept in part, ended with its caller. */
import { spawn } from "node:child_process";
import { HostFailure, observeError } from "../failure.ts";
import type { ToolResult } from "./tools.ts";

const KEPT_BYTES = 16 * 1024;
const PERCENT = /\((\d+(?:\.\d+)?)\/100%\)/g;

export type ProgressOptions = {
  timeoutMs: number;
  signal: AbortSignal;
  /** 0 to 1. */
  onProgress: (part: number) => void;
};

/** @throws HostFailure `tool-missing`, `timeout`; the signal's reason when it was aborted */
export function runWithProgress(tool: string, args: string[], options: ProgressOptions): Promise<ToolResult> {
  const { timeoutMs, signal, onProgress } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const env = {
      NODE_ENV: process.env.NODE_ENV,
      PATH: process.env.PATH ?? "/usr/bin:/bin:/usr/sbin:/sbin",
      LC_ALL: "C",
    };
    const child = spawn(tool, args, { stdio: ["ignore", "pipe", "pipe"], env });
    let stdout = "";
    let stderr = "";
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    // Settles at once, also when the process cannot die: a dead network file system holds it.
    const onAbort = (): void => {
      child.kill("SIGKILL");
      settle(() => reject(signal.reason));
    };
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      const message = `${tool} did not end within ${Math.round(timeoutMs / 1000)} s.`;
      settle(() => reject(new HostFailure(observeError("timeout", message))));
    }, timeoutMs);
    signal.addEventListener("abort", onAbort, { once: true });
    child.stdout.on("data", (chunk: Buffer) => {
      stdout = (stdout + chunk.toString("utf8")).slice(-KEPT_BYTES);
      const last = [...stdout.matchAll(PERCENT)].at(-1)?.[1];
      if (last !== undefined) onProgress(Number(last) / 100);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString("utf8")).slice(-KEPT_BYTES);
    });
    child.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code === "ENOENT" ? "tool-missing" : "internal";
      settle(() => reject(new HostFailure(observeError(code, `${tool} cannot be run.`, error.message))));
    });
    child.once("close", (code, killedBy) => {
      settle(() => {
        if (code !== null) resolve({ code, stdout, stderr });
        else reject(new HostFailure(observeError("internal", `${tool} was ended.`, killedBy)));
      });
    });
  });
}
