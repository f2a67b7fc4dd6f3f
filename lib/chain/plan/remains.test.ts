import { expect, test } from "vitest";
import { healthyLine } from "../testing/healthy.ts";
import type { PlanAction } from "./model.ts";
import { findRemains, listRemains, sayRemains } from "./remains.ts";

const read = () => healthyLine(3, ["vda", "vdb"]).observation;
const CP1: PlanAction[] = [{ verb: "host.delete-checkpoints", ids: ["cp1"] }];

test("a checkpoint that was to be deleted remains as its definition and as every bitmap of its name", () => {
  const remains = findRemains(read(), CP1);
  expect(remains).toEqual({
    checkpoints: ["cp1"],
    bitmaps: [
      { disk: "vda", bitmap: "cp1" },
      { disk: "vdb", bitmap: "cp1" },
    ],
  });
  expect(sayRemains(remains)).toBe("checkpoint cp1, bitmap cp1 on vda, bitmap cp1 on vdb");
});

test("of bitmaps that were named alone only those on the named disks remain", () => {
  const actions: PlanAction[] = [{ verb: "host.delete-bitmaps", items: [{ disk: "vdb", bitmap: "cp1" }] }];
  expect(findRemains(read(), actions)).toEqual({ checkpoints: [], bitmaps: [{ disk: "vdb", bitmap: "cp1" }] });
});

test("what a plan does not delete on the host is no remains, and neither is what was not read", () => {
  expect(listRemains(findRemains(read(), [{ verb: "record.delete", ids: ["cp1"] }, { verb: "prove" }]))).toEqual([]);
  const unread = read();
  const error = { code: "image-locked" as const, message: "", hostMessage: null, retryable: true };
  unread.checkpoints = { ok: false, error };
  for (const disk of unread.disks) disk.layers = { ok: false, error };
  expect(findRemains(unread, CP1)).toEqual({ checkpoints: [], bitmaps: [] });
});

test("many remains are counted and not listed", () => {
  const ids = ["cp0", "cp1", "cp2"];
  const words = sayRemains(findRemains(read(), [{ verb: "host.delete-checkpoints", ids }]));
  expect(words).toBe("checkpoint cp0, checkpoint cp1, checkpoint cp2 and 6 more");
});
