/** Frames and mounted elements of a page while something moves. */
import type { Page } from "@playwright/test";

export type Flow = {
  fps: number;
  /** Processor time of the page's main thread for one frame: what other programs do to the clock is not in it. */
  cpuMs: number;
  p95Ms: number;
  mostMounted: number;
  movedShare: number;
};
type Count = { times: number[]; most: number; moved: number; last: string; on: boolean };

/** Starts counting the processor time of the page's main thread; what it answers stops, and says how much it was. */
export async function countMainThread(page: Page): Promise<() => Promise<number>> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  const read = async () => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    return (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN) * 1000;
  };
  const before = await read();
  return async () => {
    const spent = (await read()) - before;
    await devtools.detach();
    return spent;
  };
}

/**
 * Counts animation frames while `act` runs, at each of them the elements that match, and the frames in which the first
 * of them stood elsewhere than before: a page that does not move has sixty frames a second too.
 */
export async function watchFlow(page: Page, selector: string, act: () => Promise<void>): Promise<Flow> {
  await page.evaluate((selector) => {
    const count: Count = { times: [], most: 0, moved: 0, last: "", on: true };
    Object.assign(window, { benchFrames: count });
    const look = (at: number) => {
      if (!count.on) return;
      count.times.push(at);
      const found = document.querySelectorAll(selector);
      count.most = Math.max(count.most, found.length);
      const { x, y } = found[0]?.getBoundingClientRect() ?? { x: 0, y: 0 };
      const place = `${x} ${y}`;
      if (place !== count.last) count.moved += 1;
      count.last = place;
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, selector);
  const stop = await countMainThread(page);
  await act();
  const spent = await stop();
  const { times, most, moved } = await page.evaluate(() => {
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
    cpuMs: spent / Math.max(1, times.length),
    p95Ms: gaps[Math.floor(gaps.length * 0.95)] ?? Number.NaN,
    mostMounted: most,
    movedShare: moved / Math.max(1, times.length),
  };
}

/**
 * Drags what lies at a point up and down, one step a frame, for about three seconds. With events made in the page:
 * real ones go through the browser's process and arrive in bursts when the machine is busy.
 */
export async function dragByFrames(page: Page, at: { x: number; y: number }): Promise<void> {
  await page.evaluate(async ({ x, y }) => {
    const ground = document.elementFromPoint(x, y);
    const send = (type: string, offset: number) => {
      const where = { clientX: x, clientY: y + offset, button: 0, buttons: 1, view: window, bubbles: true };
      (type === "mousedown" ? ground : window)?.dispatchEvent(new MouseEvent(type, { ...where, cancelable: true }));
    };
    send("mousedown", 0);
    for (let step = 1; step <= 180; step += 1) {
      await new Promise(requestAnimationFrame);
      send("mousemove", -6 * (step <= 90 ? step : 180 - step));
    }
    send("mouseup", 0);
  }, at);
}

/** Six screens a second, in pixels: faster than anybody reads. */
const WHEEL_SPEED = 5400;
const WHEEL_WAY = 1.5 * WHEEL_SPEED;

/**
 * Turns the wheel over the middle of what matches, and back, so that the end is never reached. The browser makes the events
 * itself, as many as a trackpad does: of those sent from here, sixty a second, every other frame had none.
 */
export async function turnWheel(page: Page, over: string, way: "down" | "right"): Promise<void> {
  const box = await page.locator(over).boundingBox();
  if (!box) throw new Error(`nothing matches ${over}`);
  const devtools = await page.context().newCDPSession(page);
  for (const distance of [-WHEEL_WAY, WHEEL_WAY]) {
    await devtools.send("Input.synthesizeScrollGesture", {
      x: box.x + box.width / 2,
      y: box.y + Math.min(box.height, 500) / 2,
      ...(way === "down" ? { yDistance: distance } : { xDistance: distance }),
      speed: WHEEL_SPEED,
      gestureSourceType: "mouse",
    });
  }
  await devtools.detach();
}
