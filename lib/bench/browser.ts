/** Chromium as the benches drive it: signed in as a person, every route with a cold cache of its own. */
import { setTimeout } from "node:timers/promises";
import { type Browser, type BrowserContext, chromium, type Page } from "@playwright/test";
import type { Stack } from "#run/stack.ts";
import { countMainThread } from "./frames.ts";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const VIEWPORT = { width: 1440, height: 900 };
const DEADLINE_MS = 60_000;
/** At rest: three looks in a row at which a twentieth of one processor was used, or less. */
const LOOK_MS = 200;
const CALM_LOOKS = 3;
const CALM_SHARE = 0.05;

type Watch = { painted: number | null };

/** Runs in the page before any of its scripts: notes when something that matches was painted for the first time. */
function watch(selector: string) {
  const state: Watch = { painted: null };
  Object.assign(window, { benchWatch: state });
  const look = () => {
    const found = document.querySelector(selector);
    if (found === null || found.getClientRects().length === 0) return void requestAnimationFrame(look);
    // This frame lays it out and paints it; the task after it runs when that is done.
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      state.painted = performance.now();
    };
    channel.port2.postMessage(null);
  };
  requestAnimationFrame(look);
}

const painted = (): boolean => (window as unknown as { benchWatch?: Watch }).benchWatch?.painted != null;

export type Load = {
  /** All in ms since the navigation began. */
  responseStart: number;
  responseEnd: number;
  firstPaint: number;
  painted: number;
  htmlBytes: number;
  htmlWireBytes: number;
  /** Scripts as they came over the wire, compressed, until nothing more was asked for. */
  scriptWireBytes: number;
  scripts: number;
  /** Processor time of the page's main thread until it was quiet: what other programs do to the clock is not in it. */
  mainThreadMs: number;
};

export type Person = {
  page: Page;
  /** Opens an address and waits until `selector` was painted and the page is quiet. */
  load: (path: string, selector: string) => Promise<Load>;
  /** Clicks a link; ms until `selector` was painted. */
  follow: (link: string, selector: string) => Promise<number>;
  close: () => Promise<void>;
};
export type Visitor = {
  browser: Browser;
  /** A person with an empty cache; signed in unless told otherwise. */
  enter: (options?: { signedOut?: boolean }) => Promise<Person>;
  close: () => Promise<void>;
};

/** Waits until no script was asked for during a second. */
async function untilQuiet(page: Page, count: () => number): Promise<void> {
  const until = Date.now() + DEADLINE_MS;
  let [seen, since] = [count(), Date.now()];
  while (Date.now() - since < 1000 && Date.now() < until) {
    await page.waitForTimeout(50);
    if (count() !== seen) [seen, since] = [count(), Date.now()];
  }
}

/**
 * Waits until the browser's own processes do next to nothing: each new window starts with some hundred scripts of the
 * browser's own address bar, which took a third of the time of what was measured beside them.
 */
async function untilAtRest(browser: Browser): Promise<void> {
  const devtools = await browser.newBrowserCDPSession();
  const spent = async () => {
    const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
    return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime * 1000, 0);
  };
  const until = Date.now() + DEADLINE_MS;
  let before = await spent();
  for (let calm = 0; calm < CALM_LOOKS; ) {
    if (Date.now() > until)
      throw new Error("the browser does not come to rest: what is measured beside it says little");
    await setTimeout(LOOK_MS);
    const now = await spent();
    calm = now - before < LOOK_MS * CALM_SHARE ? calm + 1 : 0;
    before = now;
  }
  await devtools.detach();
}

async function enter(context: BrowserContext, url: string): Promise<Person> {
  const page = await context.newPage();
  const browser = context.browser();
  if (browser) await untilAtRest(browser);
  page.setDefaultTimeout(DEADLINE_MS);
  const load = async (path: string, selector: string): Promise<Load> => {
    await page.addInitScript(watch, selector);
    const sizes: Promise<number>[] = [];
    page.on("requestfinished", (request) => {
      if (request.resourceType() === "script") sizes.push(request.sizes().then((size) => size.responseBodySize));
    });
    const stop = await countMainThread(page);
    await page.goto(`${url}${path}`, { waitUntil: "commit" });
    await page.waitForFunction(painted);
    await untilQuiet(page, () => sizes.length);
    const timing = await page.evaluate(() => {
      const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
      const [paint] = performance.getEntriesByName("first-contentful-paint");
      const { painted } = (window as unknown as { benchWatch: Watch }).benchWatch;
      return {
        responseStart: entry?.responseStart ?? Number.NaN,
        responseEnd: entry?.responseEnd ?? Number.NaN,
        firstPaint: paint?.startTime ?? Number.NaN,
        painted: painted ?? Number.NaN,
        htmlBytes: entry?.decodedBodySize ?? Number.NaN,
        htmlWireBytes: entry?.encodedBodySize ?? Number.NaN,
      };
    });
    const scripts = await Promise.all(sizes);
    const mainThreadMs = await stop();
    return {
      ...timing,
      mainThreadMs,
      scripts: scripts.length,
      scriptWireBytes: scripts.reduce((sum, one) => sum + one, 0),
    };
  };
  const follow = async (link: string, selector: string): Promise<number> => {
    await page.evaluate(watch, selector);
    await page.evaluate((link) => {
      performance.mark("bench-click");
      document.querySelector<HTMLElement>(link)?.click();
    }, link);
    await page.waitForFunction(painted);
    return page.evaluate(() => {
      const [click] = performance.getEntriesByName("bench-click");
      const { painted } = (window as unknown as { benchWatch: Watch }).benchWatch;
      return (painted ?? Number.NaN) - (click?.startTime ?? Number.NaN);
    });
  };
  return { page, load, follow, close: () => context.close() };
}

/** Starts Chromium and signs in once, through the page, as a person does. */
export async function openBrowser(stack: Stack): Promise<Visitor> {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGS });
  try {
    const first = await browser.newContext({ viewport: VIEWPORT });
    const page = await first.newPage();
    await page.goto(`${stack.url}/sign-in?next=%2Fhosts`);
    await page.getByLabel("E-mail").fill(stack.email);
    await page.getByLabel("Password").fill(stack.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL((at) => at.pathname === "/hosts");
    const storageState = await first.storageState();
    await first.close();
    return {
      browser,
      enter: async (options = {}) =>
        enter(
          await browser.newContext({ viewport: VIEWPORT, ...(options.signedOut ? {} : { storageState }) }),
          stack.url,
        ),
      close: () => browser.close(),
    };
  } catch (error) {
    await browser.close();
    throw error;
  }
}
