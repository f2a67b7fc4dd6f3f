/**
 * `npm start`: the web process in production. Reads HOST, PORT, DATABASE_URL (absent: the embedded server),
 * DRIFTLINE_DATA_DIR and DRIFTLINE_CONFIG; everything else happens inside the app. Ends with its child's code.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { startEmbeddedPostgres } from "#db/embedded.ts";
import { ensureBuild, root } from "./build.ts";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "::1"]);

function fail(message: string): never {
  console.error(`driftline: ${message}`);
  process.exit(2);
}

/** A port from the environment; 0 asks for any free one. */
function readPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) fail(`PORT must be a number from 0 to 65535, not "${text}"`);
  return port;
}

async function findPort(host: string, wanted: number): Promise<number> {
  const probe = createServer();
  return await new Promise<number>((done) => {
    probe.once("error", (error: NodeJS.ErrnoException) => {
      fail(
        error.code === "EADDRINUSE"
          ? `port ${wanted} on ${host} is in use; set PORT to a free one (0 takes any)`
          : `cannot listen on ${host}:${wanted}: ${error.message}`,
      );
    });
    probe.listen(wanted, host, () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : wanted));
    });
  });
}

const host = process.env.HOST || "127.0.0.1";
if (!LOOPBACK.has(host) && process.env.DRIFTLINE_TLS_PROXY !== "1") {
  fail(
    `HOST=${host} is reachable from outside, and this process does not speak TLS. Put a proxy that does in front of it ` +
      "and set DRIFTLINE_TLS_PROXY=1 to say so, or leave HOST at 127.0.0.1.",
  );
}
const port = await findPort(host, readPort(process.env.PORT || "3000"));
const dataDir = resolve(process.env.DRIFTLINE_DATA_DIR || "./data");
mkdirSync(dataDir, { recursive: true, mode: 0o755 });

await ensureBuild();
const embedded = process.env.DATABASE_URL ? null : await startEmbeddedPostgres({ dataDir: join(dataDir, "postgres") });

let web: ChildProcess | null = null;
let ending = false;
async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  if (web && web.exitCode === null && web.signalCode === null) {
    const gone = new Promise((done) => web?.once("exit", done));
    web.kill("SIGTERM");
    const slow = setTimeout(() => web?.kill("SIGKILL"), 8000);
    await gone;
    clearTimeout(slow);
  }
  await embedded?.stop();
  process.exit(code);
}
process.on("SIGTERM", () => void end(0));
process.on("SIGINT", () => void end(0));
// A launcher that started us over IPC and died: nobody will ever stop us otherwise.
process.on("disconnect", () => void end(1));

web = spawn(
  process.execPath,
  [
    "--import",
    join(root, "lib/run/die-with-parent.ts"),
    "--import",
    join(root, "lib/run/peer-address.ts"),
    join(root, "node_modules/next/dist/bin/next"),
    "start",
    "-H",
    host,
    "-p",
    String(port),
  ],
  {
    cwd: root,
    env: {
      ...process.env,
      NODE_ENV: "production",
      NEXT_TELEMETRY_DISABLED: "1",
      DATABASE_URL: process.env.DATABASE_URL || embedded?.url,
      DRIFTLINE_DATA_DIR: dataDir,
    },
    // The terminal's Ctrl-C reaches the whole process group; the fourth descriptor tells the child of our death.
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  },
);
web.on("exit", (code, signal) => {
  if (!ending) console.error(`driftline: the web process ended (${signal ?? code})`);
  void end(code ?? 1);
});

/** Waits until the app answers that it can reach its database. */
async function waitUntilReady(url: string, deadlineMs: number): Promise<void> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5000) }).catch(() => null);
    if (answer?.ok) return;
    if (Date.now() > until) {
      console.error(`driftline: not ready after ${deadlineMs / 1000} s: ${answer ? await answer.text() : "no answer"}`);
      return;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}
const shownHost = host.includes(":") ? `[${host}]` : host;
const url = `http://${shownHost}:${port}`;
await waitUntilReady(url, 60_000);
console.log(`driftline: ready at ${url}`);
process.send?.({ ready: url });
