import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { visibleRange } from "./window.ts";

describe("visibleRange", () => {
  test("covers the viewport, stays within the list and is empty for an empty one", () => {
    expect(visibleRange({ offset: 0, viewport: 100, itemSize: 10, count: 0 })).toEqual({ from: 0, to: 0 });
    fc.assert(
      fc.property(fc.nat(5000), fc.integer({ min: 1, max: 900 }), fc.nat(400), (offset, viewport, count) => {
        const { from, to } = visibleRange({ offset, viewport, itemSize: 20, count, overscan: 2 });
        expect(from).toBeGreaterThanOrEqual(0);
        expect(to).toBeLessThanOrEqual(count);
        expect(to - from).toBeLessThanOrEqual(Math.ceil(viewport / 20) + 6);
        for (let index = 0; index < count; index++) {
          const inSight = index * 20 < offset + viewport && (index + 1) * 20 > offset;
          if (inSight) expect(index >= from && index < to).toBe(true);
        }
      }),
    );
  });
});
