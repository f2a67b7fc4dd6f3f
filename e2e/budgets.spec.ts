import { gzipSync } from "node:zlib";
import { expect, type Page, test } from "@playwright/test";
import { openVm, signIn, vmIdOf } from "./sign-in.ts";

/** Of 1,000 bytes, as they travel. */
const ROUTE_JS_KB = 200;
const CHECKPOINTS = 2000;
const VMS = 10_000;

// A request may be under way when the test has seen enough.
test.afterEach(({ page }) => page.unrouteAll({ behavior: "ignoreErrors" }));

/** Gzipped kB of all scripts that a path loads until it is idle. */
async function scriptsOf(page: Page, path: string): Promise<number> {
  const bodies: Promise<number>[] = [];
  page.on("response", (response) => {
    if (/\.js($|\?)/.test(response.url())) bodies.push(response.body().then((body) => gzipSync(body).length));
  });
  await page.goto(path);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.waitForLoadState("networkidle").catch(() => undefined);
  page.removeAllListeners("response");
  return (await Promise.all(bodies)).reduce((sum, size) => sum + size, 0) / 1000;
}

/** Serves a long chain in place of the VM's own, with one broken bitmap and the checkpoints that libvirt lacks. */
async function lengthenChain(
  page: Page,
  isLacking: (index: number) => boolean = (index) => index === 700,
): Promise<void> {
  await page.route(/\/api\/v1\/vms\/[^/]+\/(observe|chain)$/, async (route) => {
    const answer = await route.fetch();
    const chain = await answer.json();
    const disk = { ...chain.host.disks[0], bitmaps: [] as object[] };
    const id = (index: number) => `cp-${String(index).padStart(5, "0")}`;
    const rows = Array.from({ length: CHECKPOINTS }, (_, index) => ({
      id: id(index),
      parentId: index === 0 ? null : id(index - 1),
      createdAt: new Date(Date.UTC(2025, 0, 1) + index * 3_600_000).toISOString(),
    }));
    chain.record.checkpoints = rows.map((row) => ({
      ...row,
      state: "active",
      disks: [disk.target],
      origin: "driftline",
      backup: "finished",
    }));
    chain.host.checkpoints = rows
      .filter((_, index) => !isLacking(index))
      .map((row) => ({ ...row, disks: [{ target: disk.target, bitmap: row.id }] }));
    disk.bitmaps = rows.map((row, index) => ({
      name: row.id,
      state: index === 1500 ? "inconsistent" : "recording",
      dirtyBytes: (CHECKPOINTS - index) * 65_536,
      granularity: 65_536,
      layer: disk.source,
    }));
    chain.host.disks = [disk];
    await route.fulfill({ response: answer, json: chain });
  });
}

test("no route loads more than 200 kB of script, and the map comes only with its view", async ({ page }) => {
  await signIn(page);
  const id = await vmIdOf(page, "billing-db");
  const sizes: Record<string, number> = {};
  const headers: Record<string, string> = { origin: new URL(page.url()).origin };
  const idOf = async (path: string, data: object) =>
    ((await (await page.request.post(`/api/v1${path}`, { headers, data })).json()) as { id: string }).id;
  const plan = await idOf(`/vms/${id}/plans`, { intent: "backup", params: { mode: "full" } });
  // A VM that no other journey stands on.
  const applied = await idOf(`/vms/${await vmIdOf(page, "mail-01")}/plans`, { intent: "backup", params: {} });
  headers["idempotency-key"] = applied;
  const job = await idOf(`/plans/${applied}/apply`, {});
  for (const path of [
    "/vms",
    `/vms/${id}?view=list`,
    `/vms/${id}/backups`,
    `/plans/${plan}`,
    `/plans/group/${await idOf("/plan-groups", { vmIds: [id], request: { intent: "backup", params: {} } })}`,
    `/jobs/${job}`,
    "/hosts",
    "/jobs",
    "/audit",
    "/settings",
    "/settings/people",
    "/settings/keys",
    "/account",
    "/sign-in",
    "/setup?token=t",
  ])
    sizes[path.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "…")] = Math.round(await scriptsOf(page, path));
  console.log("JS, kB gzip:", JSON.stringify(sizes));
  expect(Object.entries(sizes).filter(([, size]) => size > ROUTE_JS_KB)).toEqual([]);
});

test("a chain of 2,000 checkpoints mounts few rows, nodes and cells in list, map and matrix", async ({ page }) => {
  await signIn(page);
  await openVm(page, "billing-db", "view=list");
  await lengthenChain(page);
  await page.getByRole("button", { name: "Observe now" }).click();
  await expect(page.locator('[data-checkpoint="cp-01999"]').first()).toBeVisible();
  expect(await page.locator('[role="treegrid"] [role="row"]').count()).toBeLessThanOrEqual(60);

  await page.getByRole("radio", { name: "Map", exact: true }).check({ force: true });
  await expect(page.locator("[data-fold]").first()).toBeVisible();
  await page.locator("[data-fold]").first().click();
  for (let step = 0; step < 8; step++) await page.getByRole("button", { name: /zoom out/i }).click({ force: true });
  expect(await page.locator(".react-flow__node").count()).toBeLessThanOrEqual(250);

  await page.getByRole("radio", { name: "Bitmaps" }).check({ force: true });
  await expect(page.locator('[role="gridcell"]').first()).toBeVisible();
  expect(await page.locator('[role="gridcell"]').count()).toBeLessThanOrEqual(250);
});

test("a map on which nothing folds opens at the selection, and every part of it can be reached by wheel and keys", async ({
  page,
}) => {
  await signIn(page);
  await openVm(page, "billing-db", "view=list");
  await lengthenChain(page, (index) => index % 3 === 0);
  await page.getByRole("button", { name: "Observe now" }).click();
  await expect(page.locator('[data-checkpoint="cp-01999"]').first()).toBeVisible();
  await page.locator('[data-checkpoint="cp-01995"]').first().click();
  await page.getByRole("radio", { name: "Map", exact: true }).check({ force: true });
  const nodeOf = (id: string) => page.locator(`[data-view=map] [data-checkpoint="${id}"]`);
  await expect(nodeOf("cp-01995")).toBeVisible();
  await expect(page.locator("[data-fold]")).toHaveCount(0);
  await nodeOf("cp-01995").hover();
  await page.mouse.wheel(0, 30_000);
  await expect(page.locator('[data-view=map] [data-checkpoint^="cp-018"]').first()).toBeVisible();
  await page.mouse.wheel(0, -30_000);
  await nodeOf("cp-01995").focus();
  for (const [key, id] of [
    ["End", "cp-00000"],
    ["ArrowUp", "cp-00001"],
    ["Home", "cp-01999"],
  ] as const) {
    await page.keyboard.press(key);
    await expect(nodeOf(id)).toBeFocused();
  }
});

test("a fleet of 10,000 VMs never mounts more than 60 rows", async ({ page }) => {
  await signIn(page);
  await page.route("**/api/v1/vms?*", async (route) => {
    const url = new URL(route.request().url());
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const limit = Number(url.searchParams.get("limit"));
    url.searchParams.delete("cursor");
    url.searchParams.delete("q");
    const answer = await route.fetch({ url: url.href });
    const body = await answer.json();
    const [row] = body.items;
    const items = Array.from({ length: Math.min(limit, VMS - from) }, (_, index) => ({
      ...row,
      id: `00000000-0000-4000-8000-${String(from + index).padStart(12, "0")}`,
      name: `fleet-${String(from + index).padStart(5, "0")}`,
    }));
    const next = from + limit < VMS ? String(from + limit) : null;
    await route.fulfill({ response: answer, json: { ...body, items, nextCursor: next, total: VMS } });
  });
  await page.getByRole("searchbox").fill("fleet");
  await expect(page.locator("[data-row-link]").first()).toHaveText("fleet-00000");
  await expect(page.getByRole("table", { name: "VMs" })).toHaveAttribute("aria-rowcount", String(VMS + 1));
  for (let step = 0; step < 12; step++) {
    await page.mouse.wheel(0, 4000);
    await expect(page.locator("[data-row-link]").first()).toBeVisible();
    expect(await page.locator("[data-index]").count()).toBeLessThanOrEqual(60);
  }
});
