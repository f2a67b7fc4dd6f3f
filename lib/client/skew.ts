import { formatAge } from "./format.ts";

/** Clocks further apart than this make times of host and engine hard to compare. */
const WORTH_SAYING_MS = 2000;

/** How a host's clock stands to the engine's. */
export function skewText(skewMs: number): string {
  if (Math.abs(skewMs) < WORTH_SAYING_MS) return "in step";
  return `${formatAge(Math.abs(skewMs))} ${skewMs > 0 ? "ahead" : "behind"}`;
}
