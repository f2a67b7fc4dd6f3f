import { expect, type Page } from "@playwright/test";

/** A setting that whoever started the stack must give; without it a run would prove nothing. */
function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the stack and say where it is and who may sign in`);
  return value;
}

type Session = Awaited<ReturnType<ReturnType<Page["context"]>["cookies"]>>;
let session: Session | null = null;

/** Opens `next` signed in. The form is used once: sign-in is rate-limited, and rightly so. */
export async function signIn(page: Page, next = "/vms"): Promise<void> {
  if (session) {
    await page.context().addCookies(session);
    await page.goto(next);
  } else {
    await signInByForm(page, next);
    session = await page.context().cookies();
  }
  await waitForLive(page);
}

/** Signs in through the page, as a person does, and waits until the page has been left. */
export async function signInByForm(page: Page, next: string): Promise<void> {
  await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByLabel("E-mail").fill(need("DRIFTLINE_E2E_EMAIL"));
  await page.getByLabel("Password").fill(need("DRIFTLINE_E2E_PASSWORD"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname !== "/sign-in");
}

/** Until the page listens: a key pressed before that goes nowhere. */
async function waitForLive(page: Page): Promise<void> {
  await expect(page.locator("[data-live]")).toHaveAttribute("data-live", "connected");
}

/** Id of a VM of the showcase by its name, asked from the API with the session of the page. */
export async function vmIdOf(page: Page, name: string): Promise<string> {
  const answer = await page.request.get(`/api/v1/vms?q=${name}&limit=1`);
  const { items } = (await answer.json()) as { items: { id: string; name: string }[] };
  const vm = items.find((item) => item.name === name);
  if (!vm) throw new Error(`the fleet has no VM called ${name}`);
  return vm.id;
}

/** Opens a VM's page by the VM's name. */
export async function openVm(page: Page, name: string, query = ""): Promise<string> {
  const id = await vmIdOf(page, name);
  await page.goto(`/vms/${id}${query ? `?${query}` : ""}`);
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await waitForLive(page);
  return id;
}
