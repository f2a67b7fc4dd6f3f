/** A stack of its own, on simulated hosts: what is said there of what is made up. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { fleetVmId } from "#agent/simulated/fleet.ts";
import { applyPlan, connectEngine, waitFor } from "#run/api.ts";
import { startSimulation } from "#run/simulation.ts";
import { type Stack, startStack } from "#run/stack.ts";
import { expectNoViolationInBoth } from "./axe.ts";

let dir: string;
let stack: Stack;
test.setTimeout(180_000);
test.beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "dl-e2e-sim-")));
  const hosts = startSimulation(join(dir, "hosts")).map((host) => ({ ...host, repositories: [dir] }));
  stack = await startStack({ dir, hosts });
});
test.afterAll(async () => {
  await stack?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test("every page says, permanently, which hosts are simulated", async ({ browser }) => {
  const api = connectEngine(stack.url, stack.apiKey);
  // The first of each host is stopped.
  const vmId = fleetVmId(1, 1);
  await waitFor("both hosts should be read", 30_000, async () => {
    const { items } = await api.hosts.list({});
    return items.every(({ lastSweepAt }) => lastSweepAt !== null) ? { done: true } : { notYet: items };
  });
  const plan = await api.plans.create({ vmId, intent: "backup", params: { mode: "full" } });
  const job = await applyPlan(stack, await api.plans.create({ vmId, intent: "backup", params: {} }));
  const group = await api.planGroups.create({ vmIds: [vmId], request: { intent: "backup", params: {} } });
  const context = await browser.newContext({ baseURL: stack.url });
  const page = await context.newPage();
  await page.goto("/sign-in?next=/vms");
  await page.getByLabel("E-mail").fill(stack.email);
  await page.getByLabel("Password").fill(stack.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname !== "/sign-in");
  const banner = page.getByRole("note").filter({ hasText: "Simulated hosts: alpha, beta." });
  for (const path of [
    "/vms",
    "/vms?q=nothing-like-this",
    `/vms/${vmId}`,
    `/vms/${vmId}/backups`,
    `/plans/${plan.id}`,
    `/plans/group/${group.id}`,
    `/jobs/${job.id}`,
    "/hosts",
    "/jobs",
    "/audit",
    "/settings",
    "/settings/people",
    "/settings/keys",
    "/account",
    "/vms/00000000-0000-4000-8000-00000000ffff",
  ]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(banner, path).toBeVisible();
  }
  await page.goto("/jobs");
  await expectNoViolationInBoth(page);
  await page.setViewportSize({ width: 320, height: 720 });
  await expect(banner).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  await context.close();
});
