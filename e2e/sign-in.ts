import { expect, type Page } from "@playwright/test";

/** A setting that whoever started the stack must give; without it a run would prove nothing. */
function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the stack and say where it is and who may sign in`);
  return value;
}

/** Signs in through the page, as a person does, and waits for `next`. */
export async function signIn(page: Page, next = "/vms"): Promise<void> {
  await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByLabel("E-mail").fill(need("DRIFTLINE_E2E_EMAIL"));
  await page.getByLabel("Password").fill(need("DRIFTLINE_E2E_PASSWORD"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname !== "/sign-in");
  await expect(page.getByRole("banner")).toBeVisible();
}
