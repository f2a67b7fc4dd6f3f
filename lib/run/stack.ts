/**
 * The whole product on this machine, the way an administrator starts it: agents with `--config`, the web process with
 * its environment. The demo, the browser journeys and the benches all stand on this; there is no second way.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "#lab/lab.ts";
import { root } from "./build.ts";

export type StackHost = { name: string; libvirtUri: string; repositories?: string[]; qmp?: "allow" | "forbid" };
export type RunningAgent = { name: string; url: string; token: string; process: ChildProcess; configFile: string };
export type Stack = {
  url: string;
  email: string;
  password: string;
  /** An API key with the role admin. */
  apiKey: string;
  /** An API key with the role viewer. */
  viewerKey: string;
  agents: RunningAgent[];
  web: ChildProcess;
  /** Starts an agent again that was stopped or killed, on its old address. */
  restartAgent: (name: string) => Promise<void>;
  stop: () => Promise<void>;
};

/** The hosts of a lab, with the lab's directory for backups. */
export function stackHosts(lab: Lab): StackHost[] {
  return lab.hosts.map(({ name, uri }) => ({ name, libvirtUri: uri, repositories: [lab.repository] }));
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Resolves with the first line that matches; rejects with all output when the process ends or the time is up. */
function waitForLine(child: ChildProcess, pattern: RegExp, deadlineMs: number): Promise<RegExpMatchArray> {
  return new Promise((resolve, reject) => {
    let seen = "";
    const timer = setTimeout(
      () => reject(new Error(`no line like ${pattern} within ${deadlineMs} ms:\n${seen}`)),
      deadlineMs,
    );
    const look = (chunk: unknown) => {
      seen = (seen + String(chunk)).slice(-20_000);
      const match = seen.match(pattern);
      if (!match) return;
      clearTimeout(timer);
      resolve(match);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${signal ?? code} before it was ready:\n${seen}`));
    });
  });
}

function run(script: string, args: string[], env: Record<string, string>, log?: (line: string) => void): ChildProcess {
  const orphaned = ["--import", join(root, "lib/run/die-with-parent.ts")];
  const child = spawn(
    process.execPath,
    [...(script.startsWith("lib/agent/") ? orphaned : []), join(root, script), ...args],
    {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Its own group: a Ctrl-C in our terminal reaches us alone, and we take the children down in order.
      detached: true,
    },
  );
  if (log) {
    child.stdout?.on("data", (chunk) => log(String(chunk)));
    child.stderr?.on("data", (chunk) => log(String(chunk)));
  }
  return child;
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  const slow = setTimeout(() => child.kill("SIGKILL"), 12_000);
  await gone;
  clearTimeout(slow);
}

async function startAgent(
  configFile: string,
  log?: (line: string) => void,
): Promise<{ child: ChildProcess; url: string }> {
  const child = run("lib/agent/main.ts", ["--config", configFile], {}, log);
  const match = await waitForLine(child, /(http:\/\/127\.0\.0\.1:\d+)/, 30_000);
  return { child, url: match[1] ?? "" };
}

/**
 * Starts one agent a host and one web process over its own embedded database, all below `dir`.
 * Rejects, with everything taken down again, when one of them does not come up.
 */
export async function startStack(options: {
  dir: string;
  hosts: StackHost[];
  port?: number;
  policy?: Record<string, unknown>;
  databaseUrl?: string;
  /** More of the web process's environment. */
  env?: Record<string, string>;
  log?: (line: string) => void;
}): Promise<Stack> {
  const { dir, log } = options;
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const apiKey = randomBytes(24).toString("base64url");
  const viewerKey = randomBytes(24).toString("base64url");
  const password = randomBytes(9).toString("base64url");
  const email = "admin@driftline.local";
  const agents: RunningAgent[] = [];
  const started: ChildProcess[] = [];
  try {
    for (const host of options.hosts) {
      const token = randomBytes(24).toString("base64url");
      const configFile = join(dir, `agent-${host.name}.json`);
      const write = (listen: string) =>
        writeFileSync(
          configFile,
          JSON.stringify({
            name: host.name,
            listen,
            libvirtUri: host.libvirtUri,
            tokenSha256: [sha256(token)],
            tls: null,
            repositories: host.repositories ?? [],
            qmp: host.qmp ?? "allow",
          }),
          { mode: 0o600 },
        );
      write("127.0.0.1:0");
      const { child, url } = await startAgent(configFile, log);
      started.push(child);
      // Keep the port that it got: after a restart the engine must find it where it was.
      write(url.replace("http://", ""));
      agents.push({ name: host.name, url, token, process: child, configFile });
    }
    const configFile = join(dir, "driftline.json");
    writeFileSync(
      configFile,
      JSON.stringify({
        hosts: agents.map(({ name, url, token }) => ({ name, url, token })),
        admin: { email, password },
        apiKeys: [
          { name: "local", role: "admin", sha256: sha256(apiKey) },
          { name: "onlooker", role: "viewer", sha256: sha256(viewerKey) },
        ],
        // Drift is made to be looked at: nothing mends it unless that is asked for.
        policy: { redefineOnStart: "ask", observeEverySeconds: 60, staleAfterSeconds: 300, ...options.policy },
      }),
      { mode: 0o600 },
    );
    const web = run(
      "lib/run/start.ts",
      [],
      {
        HOST: "127.0.0.1",
        PORT: String(options.port ?? 0),
        DRIFTLINE_DATA_DIR: join(dir, "data"),
        DRIFTLINE_CONFIG: configFile,
        DATABASE_URL: options.databaseUrl ?? "",
        ...options.env,
      },
      log,
    );
    started.push(web);
    const ready = await waitForLine(web, /driftline: ready at (\S+)/, 300_000);
    const stop = async () => {
      await endProcess(web);
      await Promise.all(agents.map((agent) => endProcess(agent.process)));
    };
    const restartAgent = async (name: string) => {
      const agent = agents.find((one) => one.name === name);
      if (!agent) throw new Error(`no agent ${name}`);
      await endProcess(agent.process);
      agent.process = (await startAgent(agent.configFile, log)).child;
    };
    return { url: ready[1] ?? "", email, password, apiKey, viewerKey, agents, web, restartAgent, stop };
  } catch (error) {
    await Promise.all(started.map(endProcess));
    throw error;
  }
}
