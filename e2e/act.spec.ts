/** Changing things for real: plans made, confirmed, applied and proved on VMs that no other spec uses. */
import { readFile } from "node:fs/promises";
import { expect, type Page, test } from "@playwright/test";
import { expectNoViolationInBoth } from "./axe.ts";
import { openVm, signIn, vmIdOf } from "./sign-in.ts";

test.setTimeout(180_000);
test.use({ permissions: ["clipboard-read", "clipboard-write"] });
/** A job on the lab's small disks, on a machine that does a lot beside it. */
const DONE_WITHIN_MS = 60_000;

/** Serves what the API answers at a path changed; a gap in the network makes the page read it again. */
async function showAs(page: Page, path: RegExp, change: object): Promise<void> {
  await page.unroute(path);
  await page.route(path, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), ...change } });
  });
  await page.context().setOffline(true);
  await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "offline");
  await page.context().setOffline(false);
  await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "connected");
}

const post = (page: Page, path: string, data: object) =>
  page.request.post(`/api/v1${path}`, { headers: { origin: new URL(page.url()).origin }, data });

async function expectJob(page: Page, state: "succeeded" | "failed" = "succeeded"): Promise<void> {
  await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
  await expect(page.locator(`[data-job-state="${state}"]`)).toBeVisible({ timeout: DONE_WITHIN_MS });
}

const copied = (page: Page) => expect.poll(() => page.evaluate(() => navigator.clipboard.readText()));

/** Ticks every loss and types the name where it is asked for. */
async function confirmPlan(page: Page, vmName: string): Promise<void> {
  const form = page.getByRole("form", { name: "Apply the plan" });
  for (const box of await form.getByRole("checkbox").all()) await box.check();
  const typed = form.getByLabel(/^Type /);
  if ((await typed.count()) > 0) await typed.fill(vmName);
}

test("a missing bitmap is healed by its plan: nothing before every loss is ticked, then a job, its proof, and no finding", async ({
  page,
}) => {
  await signIn(page);
  const id = await openVm(page, "act-heal", "view=list");
  const finding = page.locator('[data-kind="bitmap.missing"]').first();
  await finding.getByRole("button").first().click();
  await finding.getByRole("button", { name: "Heal", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Heal act-heal" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Cancel" })).toBeFocused();
  const apply = page.getByRole("button", { name: "Apply", exact: true });
  await expect(apply).toHaveAttribute("aria-description", /Tick/);
  await expect(page.getByRole("list", { name: "Steps" }).getByRole("listitem").first()).toBeVisible();
  await expectNoViolationInBoth(page);
  const planUrl = page.url();
  await page.keyboard.press("c");
  await copied(page).toMatch(
    /^\[Ready\] Heal act-heal\nPlan: .+\nVM: +act-heal \([\s\S]+\nWould be lost:[\s\S]+\nSteps:\n {2}1\. /,
  );
  await confirmPlan(page, "act-heal");
  await page.getByLabel(/^Reason/).fill("the journey asked for it");
  await apply.click();
  await expectJob(page);
  const proof = page.locator('[data-proof="read"]');
  await expect(proof.getByRole("heading", { name: /Gone, as promised/ })).toBeVisible();
  await expect(proof.getByText(/Bitmap missing/).first()).toBeVisible();
  await page.getByRole("button", { name: "Copy as text: the job" }).click();
  await copied(page).toMatch(
    /^\[Succeeded\] Heal act-heal\n[\s\S]+\nProof:\n {2}read [\s\S]+gone, as promised: Bitmap missing: checkpoint cp2, disk vda/,
  );
  await expectNoViolationInBoth(page);
  const saved = page.waitForEvent("download");
  await page.getByRole("link", { name: "Support bundle" }).click();
  const bundle = JSON.parse(await readFile(await (await saved).path(), "utf8"));
  expect(bundle.manifest.subject).toMatch(/^job /);
  expect(bundle.parts).toMatchObject({ job: { state: "succeeded" }, vm: { id } });

  await page.goto(`/vms/${id}?view=list`);
  await expect(page.locator('main [data-axis="agreement"]').first()).toHaveText(/^Agrees/);
  await expect(page.locator('[data-kind="bitmap.missing"]')).toHaveCount(0);
  await page.goto(planUrl);
  await expect(page.getByText("This plan was applied.")).toBeVisible();
  await expect(page.getByRole("link", { name: "Open the job" })).toBeVisible();
  await page.goto(`/audit?action=plans.apply&subject=${id}`);
  const entry = page.getByRole("row").filter({ hasText: "the journey asked for it" });
  await expect(entry.getByRole("link", { name: "Plan" })).toBeVisible();
  await expect(entry.getByRole("link", { name: "Job" })).toBeVisible();
  await expectNoViolationInBoth(page);
});

/** The states of a job that pass too quickly, or come too seldom, to be waited for. */
async function expectReadable(page: Page): Promise<void> {
  const path = /\/api\/v1\/jobs\/[^/]+$/;
  const since = new Date(Date.now() - 120_000).toISOString();
  const open = { state: "running", endedAt: null, proof: null, progress: { doneBytes: 2 ** 20, totalBytes: 2 ** 22 } };
  const error = "The disk of the repository is full.";
  const hostMessage = "Could not write to file: No space left on device";
  const step = {
    n: 1,
    verb: "host.backup",
    subject: "vda",
    call: "virDomainBackupBegin",
    place: "host",
    outcome: null,
  };
  const steps = [{ ...step, state: "failed", startedAt: since, endedAt: since, error, hostMessage }];
  const cancel = page.getByRole("button", { name: "Cancel job…" });
  const again = page.getByRole("button", { name: "Plan again" });
  for (const { shown, job, isOver } of [
    { shown: "running", isOver: false, job: open },
    { shown: "lost", isOver: false, job: { ...open, lostContactSince: since } },
    { shown: "lost", isOver: true, job: { ...open, state: "lost", endedAt: since, error: "It was given up." } },
    { shown: "failed", isOver: true, job: { state: "failed", proof: null, error, steps } },
  ]) {
    await showAs(page, path, job);
    await expect(page.locator(`[data-job-state="${shown}"]`)).toBeVisible();
    await expect(cancel).toHaveCount(isOver ? 0 : 1);
    await expect(again).toHaveCount(isOver ? 1 : 0);
    await expectNoViolationInBoth(page);
  }
  await expect(page.getByRole("alert").filter({ hasText: error })).toContainText(hostMessage);
  await again.click();
  await expect(page.locator('[data-plan-state="ready"]')).toBeVisible();
  await page.unroute(path);
}

test("one click makes a full backup, the next is incremental, and its restore is proved from the page", async ({
  page,
}) => {
  await signIn(page);
  const id = await openVm(page, "act-backup", "view=list");
  await page.getByRole("button", { name: "Full backup now" }).click();
  await expectJob(page);
  await expectReadable(page);
  await openVm(page, "act-backup", "view=list");
  await expect(page.locator('[data-disk="vda"]')).toContainText("from driftline-");
  await expect(page.locator('[data-disk="vda"]')).not.toContainText("whose backup is not here");
  await page.getByRole("button", { name: "Back up now", exact: true }).click();
  await expectJob(page);
  await page.goto(`/vms/${id}/backups`);
  const backups = page.locator("[data-backup]");
  await expect(backups).toHaveCount(2);
  await expect(backups.nth(0)).toContainText("Incremental");
  await expect(backups.nth(1)).toContainText("Full");
  await backups.nth(0).getByRole("button").first().click();
  await expect(backups.nth(0).getByText("on top of").first()).toBeVisible();
  await backups.nth(0).getByRole("button", { name: "Copy as text" }).click();
  await copied(page).toMatch(
    /^\[Finished\] Incremental backup of act-backup\n[\s\S]+\n {4}on top of {2}\/[\s\S]+\nLink: +\S+\/backups#[0-9a-f-]{36}$/,
  );
  await backups.nth(0).getByRole("button", { name: "Verify restore" }).click();
  await expect(backups.nth(0).locator('[data-verify="ok"]')).toBeVisible({ timeout: DONE_WITHIN_MS });
  await expectNoViolationInBoth(page);
  await page.goto("/jobs?state=succeeded");
  await expect(page.getByRole("table", { name: "Jobs" })).toContainText("act-backup");
  await expectNoViolationInBoth(page);
});

test("a plan whose ground has changed says so before it is applied, is refused, and Plan again gives one that stands", async ({
  page,
}) => {
  await signIn(page);
  const id = await openVm(page, "act-move-1", "view=list");
  const finding = page.locator('[data-kind="metadata.missing"]').first();
  await finding.getByRole("button").first().click();
  await finding.getByRole("button", { name: "Redefine", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Redefine act-move-1" })).toBeVisible();
  const first = page.url();
  const createdAt = new Date(Date.now() - 1000).toISOString();
  const answer = await post(page, `/vms/${id}/checkpoints`, { id: "late", parentId: null, createdAt, disks: ["vda"] });
  expect(answer.status()).toBe(201);
  await expect(page.locator('[data-plan-state="out-of-date"]')).toBeVisible();
  const changes = page.getByRole("table", { name: "What has changed" });
  await expect(changes.getByRole("row").nth(1)).toBeVisible();
  await expect(page.getByRole("button", { name: "Apply", exact: true })).toHaveCount(0);
  await expectNoViolationInBoth(page);
  const planId = new URL(first).pathname.slice("/plans/".length);
  const refused = await page.request.post(`/api/v1/plans/${planId}/apply`, {
    headers: { origin: new URL(first).origin, "idempotency-key": planId },
    data: {},
  });
  expect([refused.status(), (await refused.json()).code]).toEqual([409, "plan_out_of_date"]);
  const plan = /\/api\/v1\/plans\/[^/]+$/;
  await showAs(page, plan, { state: "expired", changes: [] });
  await expect(page.locator('[data-plan-state="expired"]')).toBeVisible();
  await expectNoViolationInBoth(page);
  await page.unroute(plan);
  await page.getByRole("button", { name: "Plan again" }).click();
  await expect(page).not.toHaveURL(first);
  await expect(page.locator('[data-plan-state="ready"]')).toBeVisible();
});

test("two VMs are redefined by one plan: the number is typed, each gets a job of its own", async ({ page }) => {
  await signIn(page, "/vms?q=act-move");
  await page.getByRole("checkbox", { name: "Select act-move-1" }).check();
  await page.getByRole("checkbox", { name: "Select act-move-2" }).click({ modifiers: ["Shift"] });
  const bar = page.getByRole("region", { name: "Selection" });
  await expect(bar).toContainText("2 VMs selected");
  await expectNoViolationInBoth(page);
  await bar.getByRole("button", { name: "Redefine…" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Redefine 2 VMs" })).toBeVisible();
  const apply = page.getByRole("button", { name: "Apply", exact: true });
  await expect(apply).toHaveAttribute("aria-description", /Type “2 VMs”/);
  await expectNoViolationInBoth(page);
  for (const box of await page.getByRole("checkbox").all()) await box.check();
  await page.getByLabel(/^Type /).fill("2 VMs");
  await apply.click();
  for (const name of ["act-move-1", "act-move-2"])
    await expect(page.locator(`[data-part="${name}"] [data-job-state="succeeded"]`)).toBeVisible({
      timeout: DONE_WITHIN_MS,
    });
});

/** Selects both VMs, asks for a plan and answers with what confirms it. */
async function planForBoth(page: Page, act: string, title: string) {
  await page.goto("/vms?q=act-bulk");
  for (const name of BOTH) await page.getByRole("checkbox", { name: `Select ${name}` }).check();
  await page.getByRole("region", { name: "Selection" }).getByRole("button", { name: act }).click();
  await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
  await expectNoViolationInBoth(page);
  return page.getByRole("button", { name: "Apply", exact: true });
}

async function applyToBoth(page: Page): Promise<void> {
  await page.getByLabel(/^Type /).fill("2 VMs");
  await page.getByRole("button", { name: "Apply", exact: true }).click();
  for (const name of BOTH)
    await expect(page.locator(`[data-part="${name}"] [data-job-state="succeeded"]`)).toBeVisible({
      timeout: DONE_WITHIN_MS,
    });
}
const BOTH = ["act-bulk-1", "act-bulk-2"] as const;

test("two VMs are healed by one plan, each with a tick of its own for what it loses, then backed up by one, then in full", async ({
  page,
}) => {
  await signIn(page);
  const apply = await planForBoth(page, "Heal…", "Heal 2 VMs");
  const tick = (name: string) =>
    page.locator(`[data-part="${name}"]`).getByRole("checkbox", { name: /^Lost for good: ./ });
  await page.getByLabel(/^Type /).fill("2 VMs");
  for (const [n, name] of BOTH.entries()) {
    await expect(apply).toHaveAttribute(
      "aria-description",
      `Tick what is lost first: ${n === 0 ? "2 VMs" : "1 VM"} left.`,
    );
    await tick(name).check();
  }
  await expect(apply).not.toHaveAttribute("aria-description");
  await applyToBoth(page);
  for (const name of BOTH) {
    await openVm(page, name, "view=list");
    await expect(page.locator('main [data-axis="agreement"]').first()).toHaveText(/^Agrees/);
  }

  // vda has lost a bitmap and vdb none: what each disk gets is its own affair. Nothing is lost, nothing is ticked.
  for (const { act, title, kind } of [
    { act: "Back up…", title: "Back up 2 VMs", kind: /Mixed|Full|Incremental/ },
    { act: "Full backup…", title: "Back up 2 VMs", kind: /Full/ },
  ]) {
    await planForBoth(page, act, title);
    await expect(page.getByRole("list", { name: "Parts" }).getByRole("checkbox")).toHaveCount(0);
    await applyToBoth(page);
    for (const name of BOTH) {
      await page.goto(`/vms/${await vmIdOf(page, name)}/backups`);
      await expect(page.locator("[data-backup]").first()).toContainText(kind);
    }
  }
  await expect(page.locator("[data-backup]")).toHaveCount(2);
});

test("a viewer sees every action with the reason why not, and the API refuses what the page does not offer", async ({
  browser,
  page,
}) => {
  await signIn(page);
  const id = await vmIdOf(page, "ldap-02");
  const key = process.env.DRIFTLINE_E2E_VIEWER_KEY;
  if (!key) throw new Error("DRIFTLINE_E2E_VIEWER_KEY is not set");
  const context = await browser.newContext({
    baseURL: new URL(page.url()).origin,
    extraHTTPHeaders: { authorization: `Bearer ${key}` },
  });
  const viewer = await context.newPage();
  await viewer.goto(`/vms/${id}?view=list`);
  await expect(viewer.getByRole("heading", { level: 1, name: "ldap-02" })).toBeVisible();
  const needs = /This needs the (support|operator) role or higher/;
  for (const name of ["Full backup now", "Back up now", "Observe now", "Prune…"])
    await expect(viewer.getByRole("button", { name, exact: true })).toHaveAttribute("aria-description", needs);
  const finding = viewer.locator('[data-kind="bitmap.missing"]').first();
  await finding.getByRole("button").first().click();
  await expect(finding.getByRole("button", { name: "Heal", exact: true })).toHaveAttribute("aria-description", needs);
  await expectNoViolationInBoth(viewer);
  await viewer.goto("/vms");
  await viewer.getByRole("checkbox", { name: "Select ldap-02" }).check();
  await expect(viewer.getByRole("button", { name: "Heal…" })).toHaveAttribute("aria-description", needs);
  const refused = await viewer.request.post(`/api/v1/vms/${id}/plans`, { data: { intent: "heal", params: {} } });
  expect(refused.status()).toBe(403);
  await context.close();
});
