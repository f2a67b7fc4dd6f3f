import { expect, type Page, test } from "@playwright/test";
import { signIn, vmIdOf } from "./sign-in.ts";

/** Longer than any page waits before it asks again by itself. */
const POLLED_WITHIN_MS = 20_000;
const HIDDEN_MS = 15 * 60_000;

/** Chromium without a screen never hides a tab: the page is told so the way a browser tells it. */
async function setVisible(page: Page, state: "visible" | "hidden"): Promise<void> {
  await page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  }, state);
}

const post = async (page: Page, path: string, data: object, key = "") => {
  const headers = { origin: new URL(page.url()).origin, ...(key ? { "idempotency-key": key } : {}) };
  return (await (await page.request.post(`/api/v1${path}`, { headers, data })).json()) as { id: string };
};

test.setTimeout(120_000);
test.afterEach(({ page }) => page.unrouteAll({ behavior: "ignoreErrors" }));

test("a hidden tab asks for nothing, however long, and reads again when somebody looks", async ({ page }) => {
  // Time is ours: a quarter of an hour passes in a moment.
  await page.clock.install();
  await signIn(page);
  const vmId = await vmIdOf(page, "mail-01");
  const plan = await post(page, `/vms/${vmId}/plans`, { intent: "backup", params: {} });
  const job = await post(page, `/plans/${plan.id}/apply`, {}, plan.id);
  await page.route(/\/api\/v1\/jobs\/[^/]+$/, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), state: "running", endedAt: null } });
  });

  const underWay = new Set<unknown>();
  let asked: string[] = [];
  page.on("request", (request) => {
    underWay.add(request);
    asked.push(`${request.method()} ${new URL(request.url()).pathname}`);
  });
  for (const end of ["requestfinished", "requestfailed"] as const)
    page.on(end as "requestfinished", (request) => underWay.delete(request));

  for (const { path, polls } of [
    { path: "/vms", polls: "GET /api/v1/vms" },
    { path: `/vms/${vmId}?view=list`, polls: `GET /api/v1/vms/${vmId}/chain` },
    { path: `/vms/${vmId}/backups`, polls: `GET /api/v1/vms/${vmId}` },
    { path: `/jobs/${job.id}`, polls: `GET /api/v1/jobs/${job.id}` },
    { path: `/plans/${plan.id}` },
    { path: "/jobs" },
    { path: "/hosts" },
    { path: "/audit" },
    { path: "/settings" },
  ]) {
    await page.goto(path);
    await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "connected");
    // What is asked for while somebody looks is seen here, so that nothing asked for later says something.
    if (polls) {
      await page.context().setOffline(true);
      await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "offline");
      await page.context().setOffline(false);
      await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "connected");
      asked = [];
      await page.clock.runFor(POLLED_WITHIN_MS);
      await expect.poll(() => asked).toContain(polls);
    }
    await setVisible(page, "hidden");
    await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "paused");
    await expect.poll(() => underWay.size).toBe(0);
    asked = [];
    await page.clock.runFor(HIDDEN_MS);
    expect(asked, path).toEqual([]);
    await setVisible(page, "visible");
    await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "connected");
    expect(asked, path).toContain("GET /api/v1/events");
  }
});
