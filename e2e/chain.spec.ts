import { expect, test } from "@playwright/test";
import { expectNoViolationInBoth } from "./axe.ts";
import { openVm, signIn } from "./sign-in.ts";

test.use({ permissions: ["clipboard-read", "clipboard-write"] });
test.beforeEach(async ({ page }) => signIn(page));

test("map, list and matrix show the same checkpoints and share one selection", async ({ page }) => {
  await openVm(page, "ldap-02", "view=list");
  const rows = page.locator('[data-view="list"] [data-checkpoint]');
  const ids = await rows.evaluateAll((all) => all.map((row) => row.getAttribute("data-checkpoint")));
  expect(ids.length).toBeGreaterThan(1);
  await rows.nth(1).click();
  await expect(page).toHaveURL(new RegExp(`cp=${ids[1]}`));
  await page.getByRole("radio", { name: "Map", exact: true }).check({ force: true });
  await expect(page.locator(`[data-view="map"] [data-checkpoint="${ids[1]}"]`)).toHaveAttribute("aria-pressed", "true");
  await page.getByRole("radio", { name: "Bitmaps" }).check({ force: true });
  await expect(page.getByRole("columnheader", { name: ids[1] ?? "" })).toBeVisible();
  await expect(page.locator(`[data-detail="${ids[1]}"]`)).toBeVisible();
});

test("a missing bitmap is told by each witness, and its remedy says what it would do and that it acts on no click", async ({
  page,
}) => {
  await openVm(page, "ldap-02", "view=matrix");
  const finding = page.locator('[data-kind="bitmap.missing"]').first();
  await finding.getByRole("button").first().click();
  await expect(finding.getByText("Record", { exact: true })).toBeVisible();
  await expect(finding.getByText("libvirt", { exact: true })).toBeVisible();
  await expect(finding.getByText("Disk", { exact: true })).toBeVisible();
  await expect(finding.getByRole("button", { name: "Heal", exact: true })).toBeEnabled();
  await expect(finding.getByText("Each shows a plan first; nothing happens before it is applied.")).toBeVisible();
  await expect(page.locator('[role="gridcell"][data-state="missing"]').first()).toBeVisible();
  // When and from where, beside what each said; and which image it is about.
  await expect(finding.locator("[data-evidence-at]")).toHaveText(/ from (QMP|the image file)$/);
  await expect(page.locator("[data-path]").first()).toHaveText(/\.qcow2$/);
});

test("n walks through the findings, c copies the open one as text, Escape backs out", async ({ page }) => {
  await openVm(page, "ldap-02", "view=list");
  await page.keyboard.press("n");
  await expect(page).toHaveURL(/finding=/);
  await expect(page.locator('[data-finding] [aria-expanded="true"]')).toHaveCount(1);
  await page.keyboard.press("c");
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(/^\[\w+\] .+\nVM: +ldap-02/);
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/finding=/);
});

test("N walks back through the findings, j and k through the checkpoints, y copies the link that shows the same again", async ({
  page,
}) => {
  await openVm(page, "ldap-02", "view=list");
  const findings = page.locator("[data-finding]");
  const last = (await findings.count()) - 1;
  await page.keyboard.press("N");
  await expect(findings.nth(last).locator('[aria-expanded="true"]')).toHaveCount(1);
  await page.keyboard.press("n");
  await expect(findings.first().locator('[aria-expanded="true"]')).toHaveCount(1);
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/finding=/);
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/cp=/);

  const rows = page.locator('[data-view="list"] [data-checkpoint]');
  const ids = await rows.evaluateAll((all) => all.map((row) => row.getAttribute("data-checkpoint") ?? ""));
  const shown = (id: string | undefined) => expect(page.locator(`[data-detail="${id}"]`)).toBeVisible();
  await page.keyboard.press("j");
  await shown(ids[0]);
  await page.keyboard.press("j");
  await shown(ids[1]);
  await page.keyboard.press("k");
  await shown(ids[0]);
  await page.keyboard.press("j");
  await shown(ids[1]);
  await page.keyboard.press("y");
  const link = () => page.evaluate(() => navigator.clipboard.readText());
  await expect.poll(link).toBe(page.url());
  await page.goto("/vms");
  await page.goto(await link());
  await shown(ids[1]);
});

test("the overlay o shows the record alone, the host alone and both", async ({ page }) => {
  await openVm(page, "crm-app", "view=list");
  const rows = page.locator('[data-view="list"] [data-checkpoint]');
  const both = await rows.count();
  await expect(rows.first()).toHaveAttribute("data-match", "record-only");
  await page.keyboard.press("o");
  await expect(page).toHaveURL(/overlay=record/);
  await expect(rows).toHaveCount(both);
  await page.keyboard.press("o");
  await expect(page).toHaveURL(/overlay=host/);
  await expect(page.getByRole("heading", { name: "libvirt lists none" })).toBeVisible();
  await expect(page.getByText(`The record has ${both} checkpoints`)).toBeVisible();
});

test("the arrow keys of the map move between checkpoints and nothing in it can be dragged or deleted", async ({
  page,
}) => {
  await openVm(page, "billing-db", "view=map");
  const map = page.getByRole("group", { name: /Map of checkpoints/ });
  await map.focus();
  await page.keyboard.press("ArrowDown");
  const first = page.locator('[data-view="map"] [aria-pressed="true"]');
  await expect(first).toBeFocused();
  const id = await first.getAttribute("data-checkpoint");
  await page.keyboard.press("ArrowDown");
  await expect(page.locator('[data-view="map"] [aria-pressed="true"]')).not.toHaveAttribute(
    "data-checkpoint",
    id ?? "",
  );
  const nodes = await page.locator(".react-flow__node").count();
  await page.keyboard.press("Delete");
  await page.keyboard.press("Backspace");
  await expect(page.locator(".react-flow__node")).toHaveCount(nodes);
  await expect(page.locator(".react-flow__node.draggable")).toHaveCount(0);
});

test("observe now reads the host and says so; validate answers over the complete set", async ({ page }) => {
  await openVm(page, "billing-db", "view=list");
  await page.getByRole("button", { name: "Observe now" }).click();
  await expect(page.getByTestId("live-region")).toHaveText(/The host was read/);
  await page.getByRole("button", { name: "Validate" }).click();
  await expect(page.getByText("The complete set is valid.")).toBeVisible();
  // Its checkpoints were registered by another manager: the verdict is about the bitmaps, the cost of a backup here is not.
  await expect(page.locator('[data-disk="vda"]')).toContainText(
    "whose backup is not here: one started here takes an older base or is full",
  );
  await openVm(page, "ldap-02", "view=list");
  await page.getByRole("button", { name: "Validate" }).click();
  await expect(page.getByText(/The complete set is not valid/)).toBeVisible();
});

test("dirty extents are read only when asked for, as a strip, as numbers and as an equal table", async ({ page }) => {
  await openVm(page, "billing-db", "view=list");
  await page.locator('[data-view="list"] [data-checkpoint]').first().click();
  await page
    .getByRole("button", { name: /Extents on/ })
    .first()
    .click();
  await expect(page.getByText("Not read yet")).toBeVisible();
  await page.getByRole("button", { name: "Read extents" }).click();
  await expect(page.getByText(/dirty of .+, next incremental about/)).toBeVisible({ timeout: 20_000 });
  const strip = page.getByRole("group", { name: /Dirty ranges of/ });
  const whole = await strip.getAttribute("aria-label");
  await strip.focus();
  await page.keyboard.press("+");
  await expect(strip).not.toHaveAttribute("aria-label", whole ?? "");
  const zoomed = await strip.getAttribute("aria-label");
  await page.keyboard.press("ArrowRight");
  await expect(strip).not.toHaveAttribute("aria-label", zoomed ?? "");
  await page.keyboard.press("0");
  await expect(strip).toHaveAttribute("aria-label", whole ?? "");
  // Dragged over the middle half of the strip.
  const box = await strip.boundingBox();
  if (!box) throw new Error("the strip is not drawn");
  await page.mouse.move(box.x + box.width * 0.25, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  await expect(strip).not.toHaveAttribute("aria-label", whole ?? "");
  await page.getByRole("button", { name: "Whole disk" }).click();
  await expect(strip).toHaveAttribute("aria-label", whole ?? "");
  await page.getByText(/As a table/).click();
  await expect(page.getByRole("columnheader", { name: "Share" })).toBeVisible();
  await expectNoViolationInBoth(page);
});

test("an image that somebody holds is cannot tell with the host's own words, never an empty disk", async ({ page }) => {
  await openVm(page, "git-mirror", "view=matrix");
  await expect(page.getByText(/^The bitmaps of vd. could not be read\.$/)).toBeVisible();
  await expect(page.getByText("image-locked").first()).toBeVisible();
  await expect(page.locator('[role="gridcell"][data-state="cannot-tell"]').first()).toBeVisible();
  await expect(page.locator('[role="gridcell"][data-state="missing"]')).toHaveCount(0);
});
