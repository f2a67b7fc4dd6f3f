import { expect, type Page, test } from "@playwright/test";
import { expectNoViolationInBoth } from "./axe.ts";
import { openVm, signIn, signInByForm, vmIdOf } from "./sign-in.ts";

/** What is on screen and coloured as good. */
const green = (page: Page) => page.locator('main [data-tone="ok"]');

/** Answers the chain of a VM as the server gave it, changed as if time had passed or the host had gone. */
async function changeChain(page: Page, change: (chain: Record<string, unknown>) => void): Promise<void> {
  // Both calls: an event may make the page read the chain again at any moment.
  await page.route(/\/api\/v1\/vms\/[^/]+\/(observe|chain)$/, async (route) => {
    const answer = await route.fetch();
    const chain = (await answer.json()) as Record<string, unknown>;
    change(chain);
    await route.fulfill({ response: answer, json: chain });
  });
  await page.getByRole("button", { name: "Observe now" }).click();
}

test.beforeEach(async ({ page }) => signIn(page));
// A request may be under way when the test has seen enough.
test.afterEach(({ page }) => page.unrouteAll({ behavior: "ignoreErrors" }));

test("an offline host shows no green, keeps the last known value hatched, and gives the typed error", async ({
  page,
}) => {
  await openVm(page, "billing-db", "view=list");
  await changeChain(page, (chain) => {
    chain.freshness = "offline";
    Object.assign(chain.host as object, {
      status: "failed",
      error: {
        code: "agent-unreachable",
        message: "The agent does not answer.",
        hostMessage: "connect ECONNREFUSED 10.0.0.9:7411",
        retryable: true,
      },
    });
  });
  await expect(page.getByText("connect ECONNREFUSED 10.0.0.9:7411")).toBeVisible();
  await expect(page.locator('[data-axis="agreement"]')).toHaveText(/Cannot tell/);
  await expect(page.locator('[data-axis="agreement"]')).toHaveText(/was agrees/);
  await expect(page.locator('[data-axis="agreement"]')).toHaveClass(/hatched/);
  await expect(green(page)).toHaveCount(0);
  await expect(page.locator('main [class*="text-ok"]')).toHaveCount(0);
  await expectNoViolationInBoth(page);
});

test("a list that could not be read is cannot tell, not an empty host", async ({ page }) => {
  await openVm(page, "billing-db", "view=list");
  await changeChain(page, (chain) => {
    chain.agreement = "unknown";
    Object.assign(chain.host as object, { checkpoints: null });
  });
  await expect(page.getByText(/does not mean that there are none/)).toBeVisible();
  await expect(page.locator('[data-view="list"] [data-match="unknown"]').first()).toBeVisible();
  await expect(page.locator('[data-view="list"] [data-match="record-only"]')).toHaveCount(0);
});

test("a failed read says code and trace id, offers retry and copy, and recovers", async ({ page }) => {
  await page.goto("/vms");
  let isBroken = true;
  await page.route("**/api/v1/vms?*", (route) =>
    isBroken
      ? route.fulfill({
          status: 500,
          contentType: "application/problem+json",
          json: {
            type: "urn:driftline:problem:internal",
            title: "Something failed on our side",
            status: 500,
            code: "internal",
            detail: "The database did not answer.",
            retryable: true,
            subject: null,
            traceId: "trace-for-support",
          },
        })
      : route.continue(),
  );
  await page.getByRole("searchbox").fill("mail");
  const alert = page.getByRole("alert").filter({ hasText: "The fleet cannot be shown" });
  await expect(alert).toContainText("trace-for-support", { timeout: 20_000 });
  await expect(alert).toContainText("internal");
  await expect(alert.getByRole("button", { name: "Copy" })).toBeVisible();
  await expectNoViolationInBoth(page);
  isBroken = false;
  await alert.getByRole("button", { name: "Try again" }).click();
  await expect(page.locator("[data-row-link]")).toHaveText(["mail-01"]);
});

test("what was asked for and failed is noted with code and trace id until it is closed, can be copied, and is said once", async ({
  page,
  context,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await openVm(page, "billing-db", "view=list");
  const problem = { type: "urn:x", title: "Not available now", status: 503, code: "unavailable", retryable: true };
  await page.route(/\/api\/v1\/vms\/[^/]+\/observe$/, (route) =>
    route.fulfill({
      status: 503,
      contentType: "application/problem+json",
      json: { ...problem, detail: "The host is busy.", subject: null, traceId: "trace-for-support" },
    }),
  );
  await page.getByRole("button", { name: "Observe now" }).click();
  const note = page.getByRole("listitem").filter({ hasText: "Could not observe: The host is busy." });
  await expect(note).toContainText("unavailable · trace trace-for-support");
  await expect(page.getByTestId("live-region")).toHaveText(/^Could not observe: The host is busy\./);
  await expect(page.locator("section", { has: note })).toHaveAttribute("aria-live", "off");
  await note.getByRole("button", { name: "Copy" }).click();
  await expect
    .poll(() => page.evaluate(() => navigator.clipboard.readText()))
    .toMatch(
      /^Could not observe: Not available now\nThe host is busy\.\ncode: unavailable\ntrace: trace-for-support\nat: /,
    );
});

test("when the newest read of a page fails, what it showed is the past: nothing is green until it is read again", async ({
  page,
}) => {
  await openVm(page, "billing-db", "view=list");
  await expect(green(page).first()).toBeVisible();
  const path = /\/api\/v1\/vms\/[^/]+\/chain$/;
  const problem = { type: "urn:x", title: "Not available now", status: 503, code: "unavailable", retryable: true };
  await page.route(path, (route) =>
    route.fulfill({
      status: 503,
      contentType: "application/problem+json",
      json: { ...problem, detail: "The database does not answer.", subject: null, traceId: "t" },
    }),
  );
  await page.context().setOffline(true);
  await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "offline");
  await page.context().setOffline(false);
  const notice = page.getByText(/What is shown is old: The database does not answer/);
  await expect(notice).toBeVisible({ timeout: 30_000 });
  await expect(page.locator('[data-axis="agreement"]')).toHaveText(/was agrees/);
  await expect(green(page)).toHaveCount(0);
  await expectNoViolationInBoth(page);
  await page.unroute(path);
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(notice).toHaveCount(0);
  await expect(green(page).first()).toBeVisible();
});

test("a row of the fleet and counts that could not be read again are not shown as what is so now", async ({ page }) => {
  test.setTimeout(120_000);
  const problem = { type: "urn:x", title: "Not available now", status: 503, code: "unavailable", retryable: true };
  const refuse = {
    status: 503,
    contentType: "application/problem+json",
    json: { ...problem, detail: "x", subject: null, traceId: "t" },
  };
  const id = await vmIdOf(page, "billing-db");
  const row = page.getByRole("row").filter({ hasText: "billing-db" });
  await expect(row.locator('[data-axis="agreement"]')).toHaveText("Agrees");
  const agrees = page.getByRole("group", { name: "Agreement" }).getByRole("button", { name: /Agrees/ });
  await expect(agrees).toHaveText(/^\d/);
  await page.route(`**/api/v1/vms/${id}`, (route) => route.fulfill(refuse));
  // The rows are not read as a whole meanwhile, their counts cannot be.
  await page.route("**/api/v1/vms?*", (route) =>
    new URL(route.request().url()).searchParams.get("limit") === "1" ? route.fulfill(refuse) : undefined,
  );
  await page.request.post(`/api/v1/vms/${id}/observe`, { headers: { origin: new URL(page.url()).origin } });
  await expect(row.locator('[data-axis="agreement"]')).toHaveText(/Cannot tell.*was agrees/, { timeout: 20_000 });
  await expect(row.locator('[data-tone="ok"]')).toHaveCount(0);
  // Each event asks anew, so that no attempt may come to its end: after a while without an answer they are old all the same.
  await expect(agrees).toHaveText(/^\?/, { timeout: 45_000 });
});

test("what a VM's page could not read again is cannot tell, and the rest of it stays as fresh as it is", async ({
  page,
}) => {
  const problem = { type: "urn:x", title: "Not available now", status: 503, code: "unavailable", retryable: true };
  await page.route(/\/api\/v1\/vms\/[0-9a-f-]{36}$/, (route) =>
    route.fulfill({
      status: 503,
      contentType: "application/problem+json",
      json: { ...problem, detail: "x", subject: null, traceId: "t" },
    }),
  );
  await openVm(page, "billing-db", "view=list");
  await page.getByRole("button", { name: "Observe now" }).click();
  await expect(page.getByText("Job: cannot tell")).toBeVisible({ timeout: 20_000 });
  await expect(page.getByText("Last good one: cannot tell")).toBeVisible();
  // It follows from the verdicts of the chain, which was read.
  await expect(page.locator('[data-axis="nextBackup"]')).toHaveAttribute("data-value", "incremental");
  await expectNoViolationInBoth(page);
});

test("a browser without network says so in words and comes back by itself", async ({ page, context }) => {
  await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "connected");
  await context.setOffline(true);
  await expect(page.locator("[data-live]")).toHaveText("Offline");
  await expect(page.getByTestId("live-region")).toHaveText(/no network/);
  await context.setOffline(false);
  await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "connected");
});

test("nobody sees a page without signing in, and sign-in never leads to another site", async ({ browser, page }) => {
  const id = await vmIdOf(page, "billing-db");
  const stranger = await (await browser.newContext({ baseURL: new URL(page.url()).origin })).newPage();
  await stranger.goto(`/vms/${id}?view=matrix`);
  await expect(stranger).toHaveURL(/\/sign-in\?next=/);
  await signInByForm(stranger, "https://evil.example/vms");
  await expect(stranger).toHaveURL(/^http:\/\/[^/]+\/vms$/);
  // A read that is refused before the sign-out's answer is there must not make the sign-in lead back.
  const isRefused = stranger.waitForResponse((response) => response.status() === 401);
  const isSignedOut = Promise.withResolvers<void>();
  await stranger.route("**/api/auth/sign-out", async (route) => {
    const response = await route.fetch();
    isSignedOut.resolve();
    await isRefused;
    await route.fulfill({ response });
  });
  await stranger.getByRole("button", { name: "Account" }).click();
  await stranger.getByRole("menuitem", { name: "Sign out" }).click();
  await isSignedOut.promise;
  await stranger.getByRole("combobox", { name: "Order" }).selectOption("-name");
  await expect(stranger).toHaveURL(/\/sign-in$/);
  await stranger.goto("/vms");
  await expect(stranger).toHaveURL(/\/sign-in/);
  await stranger.context().close();
});

test("a wrong password is refused in words and what was typed stays", async ({ browser, page }) => {
  const stranger = await (await browser.newContext({ baseURL: new URL(page.url()).origin })).newPage();
  await stranger.goto("/sign-in");
  await stranger.getByLabel("E-mail").fill("somebody@example.net");
  await stranger.getByLabel("Password").fill("not the password");
  await stranger.getByRole("button", { name: "Sign in" }).click();
  await expect(stranger.getByRole("alert").filter({ hasText: /wrong/ })).toBeFocused();
  await expect(stranger.getByLabel("E-mail")).toHaveValue("somebody@example.net");
  await stranger.context().close();
});

test("every page runs under a policy without inline script, and nothing on it is refused by that policy", async ({
  page,
}) => {
  const refused: string[] = [];
  page.on("console", (message) => {
    if (/Content Security Policy/i.test(message.text())) refused.push(message.text());
  });
  for (const path of ["/vms", "/hosts", "/jobs", "/audit"]) {
    const policy = (await page.goto(path))?.headers()["content-security-policy"] ?? "";
    expect(policy).toMatch(/script-src 'self' 'nonce-[^']+' 'strict-dynamic';/);
    expect(policy).toContain("frame-ancestors 'none'");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
  await openVm(page, "billing-db", "view=map");
  await expect(page.locator('[data-view="map"] [data-checkpoint]').first()).toBeVisible();
  expect(refused).toEqual([]);
});

test("a chosen theme is there from the first byte", async ({ page }) => {
  await page.getByRole("button", { name: "Theme" }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  const html = await (await page.request.get("/vms")).text();
  expect(html).toContain('data-theme="dark"');
});
