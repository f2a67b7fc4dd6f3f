import { describe, expect, test } from "vitest";
import type { Extents } from "#contract/common.ts";
import { barsOf, brushSpan, bucketsIn, panSpan, wholeDisk, zoomSpan } from "./strip-math.ts";

const extents: Extents = {
  disk: "vda",
  bitmap: "cp1",
  source: "nbd-cold",
  observedAt: "2026-03-01T00:00:00Z",
  virtualSize: 1000,
  granularity: 10,
  dirtyBytes: 150,
  extentCount: 2,
  bucketBytes: 100,
  buckets: [
    { offset: 0, lengthBytes: 100, dirtyBytes: 100, extents: 1 },
    { offset: 100, lengthBytes: 100, dirtyBytes: 0, extents: 0 },
    { offset: 500, lengthBytes: 100, dirtyBytes: 50, extents: 1 },
  ],
};

describe("the strip of dirty extents", () => {
  test("a bar stands where its bucket is and is as high as its dirty share; what is clean has none", () => {
    expect(barsOf(extents, wholeDisk(extents), 200)).toEqual([
      { x: 0, width: 20, share: 1 },
      { x: 100, width: 20, share: 0.5 },
    ]);
  });

  test("zooming keeps the middle and never leaves the disk or goes below one bucket", () => {
    expect(zoomSpan({ from: 400, to: 600 }, 0.5, extents)).toEqual({ from: 450, to: 550 });
    expect(zoomSpan({ from: 450, to: 550 }, 0.1, extents)).toEqual({ from: 450, to: 550 });
    expect(zoomSpan({ from: 0, to: 900 }, 4, extents)).toEqual({ from: 0, to: 1000 });
  });

  test("panning stops at both ends of the disk", () => {
    expect(panSpan({ from: 100, to: 300 }, -5, extents)).toEqual({ from: 0, to: 200 });
    expect(panSpan({ from: 700, to: 900 }, 5, extents)).toEqual({ from: 800, to: 1000 });
  });

  test("a brush works in both directions and shows what it touches", () => {
    expect(brushSpan(620, 480, extents)).toEqual({ from: 480, to: 620 });
    expect(bucketsIn(extents, { from: 480, to: 620 }).map((bucket) => bucket.offset)).toEqual([500]);
  });
});
