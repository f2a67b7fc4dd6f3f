import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DirtyExtent, foldExtents, readDirtyMap, uniteExtents } from "./extents.ts";

const GRANULARITY = 65_536;

describe("dirty extents", () => {
  it("keeps the dirty parts of nbdinfo's map and joins neighbours", () => {
    const map = [
      { offset: 0, length: 10, type: 0, description: "clean" },
      { offset: 10, length: 5, type: 1, description: "dirty" },
      { offset: 15, length: 5, type: 1, description: "dirty" },
      { offset: 20, length: 5, type: 0, description: "clean" },
      { offset: 25, length: 5, type: 1, description: "dirty" },
    ];
    expect(readDirtyMap(JSON.stringify(map))).toEqual([
      { offset: 10, lengthBytes: 10 },
      { offset: 25, lengthBytes: 5 },
    ]);
  });

  it("unites the maps of several layers: in order, nothing twice, neighbours joined", () => {
    const upper = [
      { offset: 40, lengthBytes: 10 },
      { offset: 100, lengthBytes: 10 },
    ];
    const lower = [
      { offset: 0, lengthBytes: 10 },
      { offset: 35, lengthBytes: 10 },
      { offset: 50, lengthBytes: 5 },
      { offset: 102, lengthBytes: 2 },
    ];
    expect(uniteExtents([upper, lower])).toEqual([
      { offset: 0, lengthBytes: 10 },
      { offset: 35, lengthBytes: 20 },
      { offset: 100, lengthBytes: 10 },
    ]);
    expect(uniteExtents([])).toEqual([]);
  });

  it("folds any map into at most the wanted buckets that cover the disk and lose no byte", () => {
    const disk = fc.record({
      clusters: fc.array(fc.boolean(), { minLength: 1, maxLength: 300 }),
      tail: fc.integer({ min: 1, max: GRANULARITY }),
      most: fc.integer({ min: 1, max: 64 }),
    });
    fc.assert(
      fc.property(disk, ({ clusters, tail, most }) => {
        const virtualSize = (clusters.length - 1) * GRANULARITY + tail;
        const map = clusters.map((dirty, i) => ({
          offset: i * GRANULARITY,
          length: i === clusters.length - 1 ? tail : GRANULARITY,
          type: dirty ? 1 : 0,
        }));
        const extents: DirtyExtent[] = readDirtyMap(JSON.stringify(map));
        const { bucketBytes, buckets } = foldExtents(extents, { virtualSize, granularity: GRANULARITY, most });
        expect(bucketBytes % GRANULARITY).toBe(0);
        expect(buckets.length).toBeLessThanOrEqual(most);
        expect(buckets.reduce((sum, b) => sum + b.lengthBytes, 0)).toBe(virtualSize);
        const dirty = extents.reduce((sum, e) => sum + e.lengthBytes, 0);
        expect(buckets.reduce((sum, b) => sum + b.dirtyBytes, 0)).toBe(dirty);
        for (const b of buckets) expect(b.dirtyBytes).toBeLessThanOrEqual(b.lengthBytes);
      }),
    );
  });
});
