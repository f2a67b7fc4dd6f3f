/** QEMU's command line tools: arguments as arrays, never a shell; time and output bounded, also when a tool cannot die. */
import { execFile } from "node:child_process";
import { HostFailure, observeError } from "../failure.ts";

export type Account = { uid: number; gid: number };
export type ToolResult = { code: number; stdout: string; stderr: string };

const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;

/**
 * Runs a tool. Settles at its deadline even when the process does not (a dead network file system cannot be killed).
 * @throws HostFailure `tool-missing`, `timeout` or `internal` (too much output)
 */
export function runTool(
  tool: string,
  args: string[],
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const fail = (code: "tool-missing" | "timeout" | "internal", message: string, words: string | null): void =>
      reject(new HostFailure(observeError(code, message, words)));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail("timeout", `${tool} did not end within ${timeoutMs / 1000} s.`, null);
    }, timeoutMs);
    const child = execFile(
      tool,
      args,
      {
        maxBuffer: MAX_OUTPUT_BYTES,
        killSignal: "SIGKILL",
        encoding: "utf8",
        // Its words are matched: keep them in English.
        env: { NODE_ENV: process.env.NODE_ENV, PATH: process.env.PATH ?? "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C" },
        ...(signal ? { signal } : {}),
      },
      (error, stdout, stderr) => {
        clearTimeout(timer);
        if (error === null) return resolve({ code: 0, stdout, stderr });
        if (error.code === "ENOENT") return fail("tool-missing", `${tool} is not installed.`, null);
        if (typeof error.code === "number") return resolve({ code: error.code, stdout, stderr });
        fail("internal", `${tool} was ended.`, error.code ?? error.message);
      },
    );
  });
}

/** At most `limit` at a time; the others wait in order. */
export function makeLimiter(limit: number): <T>(run: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (running >= limit) await new Promise<void>((go) => waiting.push(go));
    else running += 1;
    try {
      return await run();
    } finally {
      // The place is handed on, or given back when nobody waits.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
