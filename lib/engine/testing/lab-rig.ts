/** Real hosts with real agents that can be killed, and a database for engines over them. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "#db/embedded.ts";
import { type Lab, openLab } from "#lab/lab.ts";
import { type Config, parseConfig } from "../config.ts";
import { apiKeys } from "./rig.ts";

const READY = /driftline-agent ready:/;
const START_MS = 30_000;
export const KEEP_COMPILED = fileURLToPath(new URL("keep-compiled.ts", import.meta.url));

/** The agent of one host, always at the same address. */
class LabAgent {
  readonly config: { name: string; url: string; token: string };
  readonly #file: string;
  readonly #folder: string;
  #child: ChildProcess | null = null;

  /** @param more of its configuration */
  constructor(dir: string, lab: Lab, host: string, more: object = {}) {
    const token = randomBytes(24).toString("hex");
    this.#folder = join(dir, `agent-${host}`);
    mkdirSync(this.#folder, { mode: 0o711 });
    // QEMU, another account, must reach the sockets that the agent makes below its TMPDIR.
    chmodSync(this.#folder, 0o711);
    const url = `unix:${join(this.#folder, "a.sock")}`;
    this.config = { name: host, url, token };
    this.#file = join(this.#folder, "agent.json");
    const tokenSha256 = [createHash("sha256").update(token).digest("hex")];
    const config = { name: host, listen: url, libvirtUri: lab.host(host).uri, tokenSha256 };
    writeFileSync(this.#file, JSON.stringify({ ...config, repositories: [lab.repository], ...more }));
  }

  get pid(): number | null {
    const child = this.#child;
    return child && child.exitCode === null && child.signalCode === null ? (child.pid ?? null) : null;
  }

  async start(): Promise<void> {
    if (this.pid !== null) return;
    const main = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));
    const cache = join(this.#folder, "compiled");
    const env = { ...process.env, HOME: this.#folder, TMPDIR: this.#folder, NODE_COMPILE_CACHE: cache };
    const child = spawn(process.execPath, ["--import", KEEP_COMPILED, main, "--config", this.#file], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...env, DRIFTLINE_LOG_LEVEL: "warn" },
    });
    this.#child = child;
    await waitForLine(child, READY, START_MS);
  }

  async kill(): Promise<void> {
    await endChild(this.#child, "SIGKILL");
  }

  async stop(): Promise<void> {
    await endChild(this.#child, "SIGTERM");
  }
}

/** Resolves when the process printed a line that matches. @throws with its words when it ends or stays silent */
export function waitForLine(child: ChildProcess, pattern: RegExp, limitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = "";
    const timer = setTimeout(() => reject(new Error(`not ready in ${limitMs} ms: ${seen.slice(-2_000)}`)), limitMs);
    const look = (chunk: Buffer) => {
      seen += chunk.toString();
      if (!pattern.test(seen)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${signal ?? code}: ${seen.slice(-2_000)}`));
    });
  });
}

export async function endChild(child: ChildProcess | null, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}

export type LabRig = {
  dir: string;
  lab: Lab;
  postgres: EmbeddedPostgres;
  agents: Map<string, LabAgent>;
  newDatabase: () => Promise<string>;
  /** An engine's configuration over all hosts. */
  config: (policy?: object) => Config;
  close: () => Promise<void>;
};

/** @param agent of the agents' configuration */
export async function openLabRig(hosts: string[], agent: object = {}): Promise<LabRig> {
  const dir = mkdtempSync("/tmp/dl-lab-rig-");
  chmodSync(dir, 0o711);
  const [lab, postgres] = await Promise.all([openLab({ hosts }), startEmbeddedPostgres({ dataDir: join(dir, "pg") })]);
  const agents = new Map(hosts.map((name) => [name, new LabAgent(dir, lab, name, agent)]));
  await Promise.all([...agents.values()].map((agent) => agent.start()));
  return {
    dir,
    lab,
    postgres,
    agents,
    newDatabase: async () => {
      const name = `t_${randomUUID().replaceAll("-", "")}`;
      const client = new pg.Client({ connectionString: postgres.url });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      const url = new URL(postgres.url);
      url.pathname = `/${name}`;
      return url.toString();
    },
    config: (policy = {}) =>
      parseConfig({
        hosts: [...agents.values()].map((agent) => agent.config),
        apiKeys,
        policy: { observeEverySeconds: 3_600, staleAfterSeconds: 7_200, leaseSeconds: 3, ...policy },
      }),
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.stop()));
      await postgres.stop();
      await lab.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
