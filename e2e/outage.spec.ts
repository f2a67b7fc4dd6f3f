/** Real outages: processes killed by signal, rights taken away. Each test ends with everything up again. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "@playwright/test";
import { attachLab } from "#lab/lab.ts";
import { run } from "#lab/tools.ts";
import {
  axis,
  expectCannotTell,
  expectRecovered,
  HOST,
  openWatched,
  TOLD_WITHIN_MS,
  VM,
  type Watched,
} from "./outage.ts";

type AgentRef = { name: string; url: string; configFile: string; pid: number };

const agent = (): AgentRef => {
  const { agents } = JSON.parse(readFileSync(process.env.DRIFTLINE_E2E_STACK ?? "", "utf8")) as { agents: AgentRef[] };
  const found = agents.find(({ name }) => name === HOST);
  if (!found) throw new Error(`the stack has no agent for ${HOST}`);
  return found;
};
const lab = () => attachLab(process.env.DRIFTLINE_E2E_LAB ?? "");
let restarted: ChildProcess | null = null;

async function killAgent(): Promise<void> {
  if (restarted) {
    const gone = new Promise((resolve) => restarted?.once("exit", resolve));
    restarted.kill("SIGKILL");
    await gone;
    restarted = null;
  } else process.kill(agent().pid, "SIGKILL");
}

/** Brings the agent up where the engine knows it. Resolves when it answers. `prefix`: a command that runs it. */
async function startAgent(prefix: string[] = []): Promise<void> {
  const { configFile } = agent();
  const root = join(import.meta.dirname, "..");
  const [command = "", ...args] = [
    ...prefix,
    join(root, "node_modules/.bin/node"),
    "lib/agent/main.ts",
    "--config",
    configFile,
  ];
  restarted = spawn(command, args, { cwd: root, stdio: "ignore" });
  await expect.poll(answers, { timeout: 30_000 }).toBe(true);
}

const answers = async () => (await fetch(`${agent().url}/healthz`).catch(() => null))?.status === 200;

/** Account and modes by which the agent may reach libvirt, as an administrator gives and takes them. */
function socketRights() {
  const socket = lab().host(HOST).socket;
  const folders = [dirname(socket), dirname(dirname(socket)), dirname(dirname(dirname(socket)))];
  const admin = `libvirtd:///session?socket=${join(dirname(socket), "libvirt-admin-sock")}`;
  const virtAdmin = (...args: string[]) =>
    run("virt-admin", ["-c", admin, ...args], { as: lab().context.account, env: lab().context.environment });
  return {
    give: () => {
      for (const folder of folders) chmodSync(folder, 0o711);
      chmodSync(socket, 0o777);
    },
    /** Also ends the connections that were made while it was allowed, as a restart of libvirt does. */
    take: async () => {
      chmodSync(socket, 0);
      const clients = (await virtAdmin("client-list", "libvirtd")).match(/^ *\d+/gm) ?? [];
      for (const id of clients) await virtAdmin("client-disconnect", "libvirtd", id.trim());
    },
    /** As libvirt makes them. */
    restore: () => {
      for (const path of [socket, ...folders]) chmodSync(path, 0o700);
    },
  };
}

let watched: Watched;
test.describe.configure({ mode: "serial", timeout: 150_000 });
// After a test that failed here, a new process begins anew: its agent went with the old one.
test.beforeAll(async () => {
  if (!(await answers())) await startAgent();
});
test.beforeEach(async ({ page }) => {
  watched = await openWatched(page);
});
test.afterAll(() => {
  restarted?.kill("SIGKILL");
});

test("an agent that is killed makes its VMs cannot tell, and they recover when it is back", async ({ page }) => {
  await killAgent();
  await expectCannotTell(watched, Date.now());
  await expect(page.getByText(/ECONNREFUSED/).first()).toBeVisible();
  await startAgent();
  await expectRecovered(watched);
});

test("an agent that refuses the engine's token makes its VMs cannot tell, and they recover when it is let in", async () => {
  const { configFile } = agent();
  const rightful = readFileSync(configFile, "utf8");
  await killAgent();
  try {
    writeFileSync(configFile, JSON.stringify({ ...JSON.parse(rightful), tokenSha256: ["0".repeat(64)] }));
    await startAgent();
    await expectCannotTell(watched, Date.now());
  } finally {
    writeFileSync(configFile, rightful);
  }
  await killAgent();
  await startAgent();
  await expectRecovered(watched);
});

test("an agent whose right to libvirt's socket is taken away while it runs makes its VMs cannot tell, and the same agent recovers when it has it again", async ({
  page,
}) => {
  const rights = socketRights();
  // For root no mode is a barrier, unless it has lost the two capabilities to pass over them.
  const barred = "-dac_override,-dac_read_search";
  const isRoot = process.getuid?.() === 0;
  rights.give();
  try {
    await killAgent();
    await startAgent(isRoot ? ["setpriv", `--bounding-set=${barred}`, `--inh-caps=${barred}`] : []);
    watched = await openWatched(page);
    await rights.take();
    await expectCannotTell(watched, Date.now());
    await expect(page.getByText(/Permission denied/).first()).toBeVisible({ timeout: TOLD_WITHIN_MS });
    rights.give();
    await expectRecovered(watched);
    expect([restarted?.exitCode, restarted?.signalCode]).toEqual([null, null]);
  } finally {
    // Under the rights that libvirt gives, only an agent that has all of its own reaches it.
    await killAgent();
    rights.restore();
    await startAgent();
  }
});

test("a libvirt daemon that is killed makes its VMs cannot tell, and they recover when it is back", async () => {
  const host = lab().host(HOST);
  await host.killDaemon();
  await expectCannotTell(watched, Date.now());
  await host.startDaemon();
  await expectRecovered(watched);
});

test("a libvirt daemon that hangs makes its VMs cannot tell, and they recover when it answers again", async () => {
  const host = lab().host(HOST);
  host.pauseDaemon();
  try {
    await expectCannotTell(watched, Date.now());
  } finally {
    host.resumeDaemon();
  }
  await expectRecovered(watched);
});

test("a host that dies with its VMs is cannot tell, and what it left is told when it is back", async ({ page }) => {
  // The agent first: it has no time to tell of what dies with it.
  await killAgent();
  await lab().vm(VM).kill();
  await lab().host(HOST).killDaemon();
  await expectCannotTell(watched, Date.now());
  await lab().host(HOST).startDaemon();
  await startAgent();
  // QEMU died with the host: every bitmap that it had open is broken, and that is now known, not guessed.
  await expect(axis(page, "agreement")).toHaveText(/^Differs/, { timeout: TOLD_WITHIN_MS });
  await expect(axis(page, "nextBackup")).toHaveText(/^Full/);
});
