import { expect, test } from "vitest";
import type { Observation } from "../model.ts";
import { healthyLine, MIB } from "../testing/healthy.ts";
import { describeChanges } from "./changes.ts";

const read = (): Observation => healthyLine(3, ["vda", "vdb"]).observation;
const changed = (edit: (observation: Observation) => void) => {
  const is = read();
  edit(is);
  return describeChanges(read(), is);
};
const layersOf = (observation: Observation, target: string) => {
  const disk = observation.disks.find((item) => item.target === target);
  if (!disk?.layers.ok) throw new Error(`no layers of ${target}`);
  return disk.layers.value;
};

test("the same read has no changes, and dirty counts that moved are none", () => {
  expect(describeChanges(read(), read())).toEqual([]);
  const moved = changed((is) => {
    for (const bitmap of layersOf(is, "vda")[0]?.bitmaps ?? []) bitmap.dirtyBytes = 7 * MIB;
  });
  expect(moved).toEqual([]);
});

test("a bitmap that is gone and one that is new are named with their disk", () => {
  const changes = changed((is) => {
    const layer = layersOf(is, "vda")[0];
    if (!layer) throw new Error("no layer");
    layer.bitmaps = layer.bitmaps.filter((bitmap) => bitmap.name !== "cp1");
    const other = layersOf(is, "vdb")[0]?.bitmaps;
    const [first] = other ?? [];
    if (first) other?.push({ ...first, name: "stray" });
  });
  expect(changes.map((change) => change.what)).toEqual(["bitmap cp1 on vda", "bitmap stray on vdb"]);
  expect(changes[0]?.is).toBe("not there");
  expect(changes[1]?.was).toBe("not there");
});

test("a new run, a checkpoint that libvirt lost and an image that was exchanged are each named", () => {
  const changes = changed((is) => {
    is.runtimeId = "run-2";
    if (is.checkpoints.ok) is.checkpoints.value.pop();
    const identity = is.disks[1]?.identity;
    if (identity) identity.inode = "999";
  });
  expect(changes.map((change) => change.what)).toEqual(["run of the VM", "checkpoint cp2 in libvirt", "disk vdb"]);
});

test("what could not be read is said to be unknown and never to be gone", () => {
  const error = { code: "image-locked" as const, message: "", hostMessage: null, retryable: true };
  const changes = changed((is) => {
    const disk = is.disks[0];
    if (disk) disk.layers = { ok: false, error };
  });
  expect(changes.find((change) => change.what === "bitmaps on vda")).toEqual({
    what: "bitmaps on vda",
    was: "read",
    is: "cannot tell (image-locked)",
  });
  expect(changes).toHaveLength(1);
});
