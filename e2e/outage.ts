/** What must be seen of an outage, on the page of a VM and in the list: both tell of it and recover by themselves. */
import { expect, type Page } from "@playwright/test";
import { openVm, signIn } from "./sign-in.ts";
import { type Witness, watch } from "./witness.ts";

/** A VM of the showcase that is whole, and its host. Nothing else stands on what happens to it here. */
export const VM = "billing-db";
export const HOST = "alpha";
/** From the outage to the page that tells of it, and from its end to the page that has recovered. */
export const TOLD_WITHIN_MS = 40_000;

/** Nobody reloads or clicks on either of them. */
export type Watched = { vm: Page; list: Page; witnesses: Witness[] };

export const axis = (page: Page, name: string) => page.locator(`main [data-axis="${name}"]`).first();

async function expectWhole(page: Page): Promise<void> {
  await expect(axis(page, "agreement")).toHaveText(/^Agrees/, { timeout: TOLD_WITHIN_MS });
  await expect(axis(page, "nextBackup")).toHaveText(/Incremental/);
  await expect(axis(page, "agreement")).not.toHaveClass(/hatched/);
}

/** Opens both while the VM is whole, and watches them from then on. */
export async function openWatched(page: Page): Promise<Watched> {
  await signIn(page);
  await openVm(page, VM, "view=list");
  const list = await page.context().newPage();
  await list.goto(`/vms?q=${VM}`);
  for (const one of [page, list]) await expectWhole(one);
  return { vm: page, list, witnesses: [await watch(page, "main"), await watch(list, 'main [role="table"]')] };
}

const OF_A_HOST = /^The last attempt .*gave no answer\. Shown is what was known .+\.$/;

/** `began`: nothing can have been read since then. `sentence`: how the VM's page puts it. */
export async function expectCannotTell({ vm, list, witnesses }: Watched, began: number, sentence = OF_A_HOST) {
  for (const page of [vm, list]) {
    await expect(axis(page, "agreement")).toHaveText(/Cannot tell/, { timeout: TOLD_WITHIN_MS });
    await expect(axis(page, "agreement")).toHaveText(/was agrees/);
    await expect(axis(page, "nextBackup")).toHaveText(/Cannot tell/);
    await expect(axis(page, "agreement")).toHaveClass(/hatched/);
  }
  await expect(vm.locator("main").getByText(sentence)).toBeVisible();
  // The last known state stays, with its age: four checkpoints are still drawn, and when they were read is said.
  await expect(vm.locator('[data-view="list"]')).toContainText("cp4");
  const said = vm.locator("main span").filter({ hasText: /^read .+ from the running VM$/ });
  for (const read of [said.locator("time"), list.locator("[data-index] time").first()]) {
    await expect(read).toBeVisible();
    expect(Date.parse((await read.getAttribute("datetime")) ?? "")).toBeLessThanOrEqual(began);
  }
  for (const witness of witnesses) await witness.expectOnlyCannotTell();
}

/** On the way there nothing was green that was not known. */
export async function expectRecovered({ vm, list, witnesses }: Watched): Promise<void> {
  for (const page of [vm, list]) await expectWhole(page);
  for (const witness of witnesses) await witness.expectNoGreenUntilRecovered();
}
