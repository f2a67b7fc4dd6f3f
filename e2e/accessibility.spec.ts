import { expect, test } from "@playwright/test";
import { expectNoViolation } from "./axe.ts";
import { openVm, signIn } from "./sign-in.ts";

// axe looks at every node of the page; several pages in one test take their time on a busy machine.
test.setTimeout(180_000);

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test("the pages before sign-in have no accessibility violation", async ({ page }) => {
      const authorization = `Bearer ${process.env.DRIFTLINE_E2E_API_KEY ?? ""}`;
      const invited = await page.request.post("/api/v1/users", {
        headers: { authorization },
        data: { email: `axe-${Date.now()}@example.org`, role: "viewer" },
      });
      const { user, link } = (await invited.json()) as { user: { id: string }; link: { path: string } };
      for (const { path, button } of [
        { path: "/sign-in", button: "Sign in" },
        { path: "/setup", button: null },
        { path: "/setup?token=not-a-token", button: "Create administrator" },
        { path: "/welcome?token=not-a-token", button: null },
        { path: link.path, button: "Save and sign in" },
      ]) {
        await page.goto(path);
        if (button) await expect(page.getByRole("button", { name: button })).toBeVisible();
        await expectNoViolation(page);
      }
      await page.request.delete(`/api/v1/users/${user.id}`, { headers: { authorization } });
    });

    test("what is shown while a list loads has no accessibility violation", async ({ page }) => {
      await signIn(page);
      for (const { path, answer, filter } of [
        { path: "/vms", answer: "**/api/v1/vms?*", filter: "Order" },
        { path: "/jobs", answer: "**/api/v1/jobs?*", filter: "State" },
      ]) {
        await page.goto(path);
        await page.route(answer, () => {});
        await page.getByRole("combobox", { name: filter }).selectOption({ index: 1 });
        await expect(page.locator("main [aria-busy='true']")).toBeVisible();
        await expectNoViolation(page);
        await page.unroute(answer);
      }
    });

    test("every list has no accessibility violation", async ({ page }) => {
      await signIn(page);
      for (const { path, title } of [
        { path: "/vms", title: "VMs" },
        { path: "/vms?q=no-such-vm", title: "VMs" },
        { path: "/hosts", title: "Hosts" },
        { path: "/jobs", title: "Jobs" },
        { path: "/jobs?state=failed", title: "Jobs" },
        { path: "/audit", title: "Audit" },
        { path: "/audit?actor=nobody&outcome=failed", title: "Audit" },
        { path: "/plans/00000000-0000-4000-8000-00000000ffff", title: "There is nothing at this address" },
        { path: "/settings", title: "Settings" },
        { path: "/settings/people", title: "Settings" },
        { path: "/settings/keys", title: "Settings" },
        { path: "/account", title: "Account" },
        { path: "/vms/00000000-0000-4000-8000-00000000ffff", title: "There is nothing at this address" },
      ]) {
        await page.goto(path);
        await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
        await expectNoViolation(page);
      }
    });

    for (const view of ["map", "list", "matrix", "extents"]) {
      test(`a VM's ${view} has no accessibility violation, also with a finding open`, async ({ page }) => {
        await signIn(page);
        await openVm(page, "ldap-02", `view=${view}`);
        await expect(page.locator(`[data-view="${view}"]`)).toBeVisible();
        await page.locator("[data-finding] button").first().click();
        await expect(page.getByText("What would put it right")).toBeVisible();
        await expectNoViolation(page);
      });
    }

    test("palette, help and menus have no accessibility violation", async ({ page }) => {
      await signIn(page);
      await page.keyboard.press("Control+k");
      await expect(page.getByPlaceholder(/What do you want to do/)).toBeFocused();
      await expectNoViolation(page);
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
      await expectNoViolation(page);
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Theme" }).click();
      await expect(page.getByRole("menuitemradio", { name: "Dark" })).toBeVisible();
      // A menu is a layer of its own above the page's regions; axe asks for a landmark around it all the same.
      await expectNoViolation(page, ["region"]);
    });
  });
}

test("with forced colours each state is still told apart by its shape and letter, and what is hatched by its outline", async ({
  page,
}) => {
  await page.emulateMedia({ forcedColors: "active" });
  await signIn(page);
  for (const axis of ["Agreement", "Next backup", "Observation"]) {
    const cards = page.getByRole("group", { name: axis }).getByRole("button");
    await expect(cards.first()).toBeVisible();
    const looks = await cards.evaluateAll((all) =>
      all.map((card) => ({
        shape: card.querySelector("svg")?.innerHTML,
        word: card.textContent?.replace(/[\d,?]/g, ""),
      })),
    );
    expect(new Set(looks.map(({ shape }) => shape)).size, `shapes of ${axis}`).toBe(looks.length);
    expect(new Set(looks.map(({ word }) => word)).size, `words of ${axis}`).toBe(looks.length);
  }
  const signs: string[] = [];
  for (const name of ["ldap-02", "git-mirror"]) {
    await openVm(page, name, "view=matrix");
    const cells = page.locator('[role="gridcell"][data-state]');
    await expect(cells.first()).toBeVisible();
    signs.push(
      ...(await cells.evaluateAll((all) =>
        all.map((cell) => `${cell.getAttribute("data-state")} ${cell.firstElementChild?.textContent}`),
      )),
    );
  }
  const told = [...new Set(signs)].map((sign) => sign.split(" "));
  expect(new Set(told.map(([state]) => state)).size).toBeGreaterThan(2);
  expect(new Set(told.map(([, sign]) => sign)).size).toBe(told.length);
  const unread = page.locator('[role="gridcell"][data-state="cannot-tell"][aria-selected="false"]').first();
  expect(await unread.evaluate((cell) => getComputedStyle(cell).outlineStyle)).toBe("dashed");
});

test("at 320 px nothing has to be scrolled sideways", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 720 });
  await signIn(page);
  for (const path of ["/vms", "/hosts", "/jobs", "/audit"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  }
  for (const view of ["map", "list", "matrix", "extents"]) {
    await openVm(page, "ldap-02", `view=${view}`);
    await expect(page.locator(`[data-view="${view}"]`)).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  }
});

test("where the rows of the fleet are cards, nothing takes the focus without being seen", async ({ page }) => {
  await page.setViewportSize({ width: 1024, height: 900 });
  await signIn(page);
  await expect(page.locator("[data-row-link]").first()).toBeVisible();
  const unseen = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("main :is(a[href], button, input, select, [tabindex='0'])")]
      .filter((element) => element.checkVisibility() && element.closest(".max-xl\\:sr-only, .sr-only"))
      .map((element) => element.outerHTML.slice(0, 90)),
  );
  expect(unseen).toEqual([]);
});

test("every pointer target on the fleet and a VM is at least 24 px in both directions", async ({ page }) => {
  await signIn(page);
  const small = () =>
    page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("button, a[href], select, input, summary")]
        .filter((element) => element.offsetParent !== null && !element.closest(".sr-only, .react-flow__attribution"))
        .map((element) => ({ element, box: (element.closest("label") ?? element).getBoundingClientRect() }))
        .filter(({ element, box }) => box.width > 1 && (box.width < 24 || box.height < 24) && !isInline(element))
        .map(({ element, box }) => `${element.outerHTML.slice(0, 90)} ${box.width}×${box.height}`),
    );
  await page.addInitScript(() => {
    // Links inside a sentence are exempt (WCAG 2.5.8), the row link covers its whole row.
    Object.assign(window, {
      isInline: (element: HTMLElement) =>
        element.matches("[data-row-link]") || element.closest("p, nav ol, td") !== null,
    });
  });
  await page.goto("/vms");
  await expect(page.getByRole("table", { name: "VMs" })).toBeVisible();
  expect(await small()).toEqual([]);
  await openVm(page, "ldap-02", "view=list");
  expect(await small()).toEqual([]);
});

declare function isInline(element: HTMLElement): boolean;
