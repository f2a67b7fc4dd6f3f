/** Real outages: processes killed by signal, rights taken away. Each test ends with everything up again. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { attachLab } from "#lab/lab.ts";
import { openVm, signIn } from "./sign-in.ts";

type AgentRef = { name: string; url: string; configFile: string; pid: number };
/** A VM of the showcase that is whole, and its host. Nothing else stands on what happens to it here. */
const VM = "billing-db";
const HOST = "alpha";
/** From the outage to the page that tells of it, and from its end to the page that has recovered. */
const TOLD_WITHIN_MS = 40_000;

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
  const { configFile, url } = agent();
  const root = join(import.meta.dirname, "..");
  const [command = "", ...args] = [
    ...prefix,
    join(root, "node_modules/.bin/node"),
    "lib/agent/main.ts",
    "--config",
    configFile,
  ];
  restarted = spawn(command, args, { cwd: root, stdio: "ignore" });
  await expect
    .poll(async () => (await fetch(`${url}/healthz`).catch(() => null))?.status, { timeout: 30_000 })
    .toBe(200);
}

const axis = (page: Page, name: string) => page.locator(`main [data-axis="${name}"]`).first();
const green = (page: Page) => page.locator('main [data-tone="ok"]');

async function expectWhole(page: Page): Promise<void> {
  await expect(axis(page, "agreement")).toHaveText(/^Agrees/, { timeout: TOLD_WITHIN_MS });
  await expect(axis(page, "nextBackup")).toHaveText(/Incremental/);
  await expect(axis(page, "agreement")).not.toHaveClass(/hatched/);
}

/** The page says so by itself: nobody reloads it. */
async function expectCannotTell(page: Page): Promise<void> {
  await expect(axis(page, "agreement")).toHaveText(/Cannot tell/, { timeout: TOLD_WITHIN_MS });
  await expect(axis(page, "agreement")).toHaveText(/was agrees/);
  await expect(axis(page, "nextBackup")).toHaveText(/Cannot tell/);
  await expect(axis(page, "agreement")).toHaveClass(/hatched/);
  await expect(green(page)).toHaveCount(0);
  // The last known state stays, with its age: four checkpoints are still drawn, and when they were read is said.
  await expect(page.locator('[data-view="list"]')).toContainText("cp4");
  await expect(page.locator("main time").first()).toBeVisible();
}

test.describe.configure({ mode: "serial", timeout: 150_000 });
test.beforeEach(async ({ page }) => {
  await signIn(page);
  await openVm(page, VM, "view=list");
  await expectWhole(page);
});
test.afterAll(() => {
  restarted?.kill("SIGKILL");
});

test("an agent that is killed makes its VMs cannot tell, and they recover when it is back", async ({ page }) => {
  await killAgent();
  await expectCannotTell(page);
  await expect(page.getByText(/ECONNREFUSED/).first()).toBeVisible();
  await startAgent();
  await expectWhole(page);
});

test("an agent that refuses the engine's token makes its VMs cannot tell, and they recover when it is let in", async ({
  page,
}) => {
  const { configFile } = agent();
  const rightful = readFileSync(configFile, "utf8");
  await killAgent();
  try {
    writeFileSync(configFile, JSON.stringify({ ...JSON.parse(rightful), tokenSha256: ["0".repeat(64)] }));
    await startAgent();
    await expectCannotTell(page);
  } finally {
    writeFileSync(configFile, rightful);
  }
  await killAgent();
  await startAgent();
  await expectWhole(page);
});

test("an agent that may no longer open libvirt's socket makes its VMs cannot tell, and they recover when it may", async ({
  page,
}) => {
  const folder = join(lab().dir, "h", HOST);
  const { mode } = statSync(folder);
  await killAgent();
  // For root no mode is a barrier, unless it has lost the two capabilities to pass over them.
  const barred = "-dac_override,-dac_read_search";
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) chmodSync(folder, 0);
  try {
    await startAgent(isRoot ? ["setpriv", `--bounding-set=${barred}`, `--inh-caps=${barred}`] : []);
    await expectCannotTell(page);
    await expect(page.getByText(/Permission denied/).first()).toBeVisible({ timeout: TOLD_WITHIN_MS });
  } finally {
    if (!isRoot) chmodSync(folder, mode);
  }
  await killAgent();
  await startAgent();
  await expectWhole(page);
});

test("a libvirt daemon that is killed makes its VMs cannot tell, and they recover when it is back", async ({
  page,
}) => {
  const host = lab().host(HOST);
  await host.killDaemon();
  await expectCannotTell(page);
  await host.startDaemon();
  await expectWhole(page);
});

test("a libvirt daemon that hangs makes its VMs cannot tell, and they recover when it answers again", async ({
  page,
}) => {
  const host = lab().host(HOST);
  host.pauseDaemon();
  try {
    await expectCannotTell(page);
  } finally {
    host.resumeDaemon();
  }
  await expectWhole(page);
});

test("a database that is killed comes back under the running app, and the page with it", async ({ page }) => {
  const pid = Number(readFileSync(process.env.DRIFTLINE_E2E_POSTMASTER ?? "", "utf8").split("\n")[0]);
  process.kill(pid, "SIGKILL");
  await expect
    .poll(async () => (await page.request.get("/readyz").catch(() => null))?.status(), { timeout: TOLD_WITHIN_MS })
    .toBe(200);
  await page.getByRole("button", { name: "Observe now" }).click();
  await expectWhole(page);
  await page.reload();
  await expectWhole(page);
});

test("a host that dies with its VMs is cannot tell, and what it left is told when it is back", async ({ page }) => {
  const vm = lab().vm(VM);
  await vm.kill();
  await lab().host(HOST).killDaemon();
  await killAgent();
  await expectCannotTell(page);
  await lab().host(HOST).startDaemon();
  await startAgent();
  // QEMU died with the host: every bitmap that it had open is broken, and that is now known, not guessed.
  await expect(axis(page, "agreement")).toHaveText(/^Differs/, { timeout: TOLD_WITHIN_MS });
  await expect(axis(page, "nextBackup")).toHaveText(/^Full/);
});
