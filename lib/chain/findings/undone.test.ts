import { describe, expect, test } from "vitest";
import type { DirtyCount } from "../model.ts";
import { healthyLine, KIB } from "../testing/healthy.ts";
import { findUndoneRewinds } from "./undone.ts";

/** A running VM with three checkpoints on one disk whose counts are these; peaks and last run likewise. */
function look(now: number[], peaks: number[], last: number[]): string[] {
  const { observation } = healthyLine(now.length);
  const [disk] = observation.disks;
  const layer = disk?.layers.ok ? disk.layers.value[0] : undefined;
  if (!disk || !layer) throw new Error("the healthy disk is read");
  now.forEach((kib, index) => {
    const bitmap = layer.bitmaps[index];
    if (bitmap) bitmap.dirtyBytes = kib * KIB;
  });
  const counts = (list: number[]): DirtyCount[] =>
    list.map((kib, index) => ({
      target: disk.target,
      bitmap: layer.bitmaps[index]?.name ?? "",
      layerPath: layer.path,
      dirtyBytes: kib * KIB,
      granularity: layer.bitmaps[index]?.granularity ?? 0,
    }));
  return [...findUndoneRewinds({ observation, peaks: counts(peaks), lastRun: counts(last) })];
}

describe("findUndoneRewinds", () => {
  test("the right image is back when every count is the trusted one again and writes cannot explain it", () => {
    expect(look([2048, 768, 640], [2048, 768, 640], [1536, 384, 128])).toEqual(["vda"]);
  });

  test("one count that differs proves nothing", () => {
    expect(look([2048, 768, 704], [2048, 768, 640], [1536, 384, 128])).toEqual([]);
    expect(look([2048, 768, 576], [2048, 768, 640], [1536, 384, 128])).toEqual([]);
  });

  test("equal gains are what one fresh write makes and prove nothing", () => {
    expect(look([2048, 768, 640], [2048, 768, 640], [1984, 704, 576])).toEqual([]);
  });

  test("a single bitmap proves nothing", () => {
    expect(look([640], [640], [128])).toEqual([]);
  });

  test("a disk that was not read, or has no counts, proves nothing", () => {
    const input = healthyLine(2);
    const [disk] = input.observation.disks;
    if (!disk) throw new Error("there is a disk");
    disk.layers = {
      ok: false,
      error: { code: "image-locked", message: "locked", hostMessage: null, retryable: true },
    };
    expect([...findUndoneRewinds({ observation: input.observation, peaks: [], lastRun: [] })]).toEqual([]);
  });
});
