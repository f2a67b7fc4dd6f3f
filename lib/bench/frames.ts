/** Frames and mounted elements of a page while something moves. */
import type { Page } from "@playwright/test";

export type Flow = { fps: number; p95Ms: number; mostMounted: number };
type Count = { times: number[]; most: number; on: boolean };

/** Counts animation frames while `act` runs, and at each of them the elements that match. */
export async function watchFlow(page: Page, selector: string, act: () => Promise<void>): Promise<Flow> {
  await page.evaluate((selector) => {
    const count: Count = { times: [], most: 0, on: true };
    Object.assign(window, { benchFrames: count });
    const look = (at: number) => {
      if (!count.on) return;
      count.times.push(at);
      count.most = Math.max(count.most, document.querySelectorAll(selector).length);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, selector);
  await act();
  const { times, most } = await page.evaluate(() => {
    const { benchFrames } = window as unknown as { benchFrames: Count };
    benchFrames.on = false;
    return benchFrames;
  });
  const gaps = times
    .slice(1)
    .map((at, i) => at - (times[i] ?? at))
    .sort((a, b) => a - b);
  const lastedMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  return {
    fps: lastedMs > 0 ? (gaps.length * 1000) / lastedMs : 0,
    p95Ms: gaps[Math.floor(gaps.length * 0.95)] ?? Number.NaN,
    mostMounted: most,
  };
}
