import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backoff, LONGEST_MS } from "./backoff.ts";

describe("waiting for a host to come back", () => {
  it("never waits longer than its limit, whatever came before, and never not at all", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(120_000), { minLength: 1, maxLength: 60 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (lasted, r) => {
          const backoff = new Backoff();
          for (const ms of lasted) {
            const wait = backoff.after(ms, () => r);
            expect(wait).toBeLessThanOrEqual(LONGEST_MS);
            expect(wait).toBeGreaterThanOrEqual(250);
          }
        },
      ),
    );
  });

  it("waits longer and longer for one that fails at once", () => {
    const backoff = new Backoff();
    expect(Array.from({ length: 7 }, () => backoff.after(0, () => 1))).toEqual([
      500, 1000, 2000, 4000, 8000, 10_000, 10_000,
    ]);
  });

  it("begins anew after a connection that held: short outages do not add up", () => {
    const backoff = new Backoff();
    for (let outage = 0; outage < 10; outage += 1) expect(backoff.after(3_000, () => 1)).toBe(500);
  });
});
