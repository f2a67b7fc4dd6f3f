import { expect, test } from "vitest";
import type { DriftInput, LayerBitmap } from "#chain/model.ts";
import { healthyLine, hour, KIB } from "#chain/testing/healthy.ts";
import { committedCounts, unknownGranularities } from "./learn.ts";

const NONE: ReadonlySet<string> = new Set();
const IDS = new Map([["vda", "id-of-vda"]]);

function topOf(input: DriftInput) {
  const layers = input.observation.disks[0]?.layers;
  const top = layers?.ok ? layers.value[0] : undefined;
  if (!layers?.ok || !top) throw new Error("the disk is read");
  return { layers: layers.value, top };
}

function bitmapOf(input: DriftInput, name: string): LayerBitmap {
  return topOf(input).top.bitmaps.find((bitmap) => bitmap.name === name) ?? expect.fail();
}

function forget(input: DriftInput) {
  for (const item of input.record.checkpoints) for (const disk of item.disks) disk.granularity = null;
}

const sample = (bitmap: string, layerPath: string) => ({
  target: "vda",
  bitmap,
  layerPath,
  dirtyBytes: 64 * KIB,
  granularity: 64 * KIB,
  at: hour(1),
  runtimeId: "run-0",
});

test("a granularity is learned once, of bitmaps that are healthy and agree with themselves", () => {
  const known = healthyLine(2);
  expect(unknownGranularities(known, IDS, NONE)).toEqual([]);
  const fresh = healthyLine(3);
  forget(fresh);
  bitmapOf(fresh, "cp1").inconsistent = true;
  const { layers, top } = topOf(fresh);
  layers.push({ ...top, depth: 1, path: "/below", bitmaps: [{ ...bitmapOf(fresh, "cp2"), granularity: 32 * KIB }] });
  expect(unknownGranularities(fresh, IDS, NONE)).toEqual([
    { checkpointId: "cp0", diskId: "id-of-vda", granularity: 64 * KIB },
  ]);
  expect(unknownGranularities(fresh, IDS, new Set(["vda"]))).toEqual([]);
});

test("counts of an image that left the chain end when the bitmap goes on in what is left of it, and only then", () => {
  const input = healthyLine(2);
  const { top } = topOf(input);
  input.samples = [sample("cp0", top.path), sample("cp0", "/snapshot"), sample("gone", "/snapshot")];
  const ended = [{ target: "vda", bitmap: "cp0", layerPath: "/snapshot" }];
  expect(committedCounts(input, NONE)).toEqual(ended);
  expect(committedCounts(input, new Set(["vda"]))).toEqual([]);
  bitmapOf(input, "cp0").recording = false;
  expect(committedCounts(input, NONE)).toEqual([]);
});
