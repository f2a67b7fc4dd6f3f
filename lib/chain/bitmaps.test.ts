import { describe, expect, test } from "vitest";
import { isHealthy, summariseBitmaps } from "./bitmaps.ts";
import type { DiskObservation, LayerBitmap } from "./model.ts";
import { healthyBitmap, KIB } from "./testing/healthy.ts";

function disk(...layers: LayerBitmap[][]): DiskObservation {
  const value = layers.map((bitmaps, depth) => ({
    depth,
    path: `/l${depth}`,
    format: "qcow2",
    qcow2Compat: "1.1",
    bitmaps,
  }));
  return { target: "vda", source: "/l0", format: "qcow2", virtualSize: 1, identity: null, layers: { ok: true, value } };
}
const bitmap = (flags: Partial<LayerBitmap> = {}) => ({ ...healthyBitmap("cp1", 64 * KIB), ...flags });

function stateOf(...layers: LayerBitmap[][]) {
  const read = summariseBitmaps(disk(...layers));
  return read.ok ? read.value.map(({ state }) => state) : read.error.code;
}

describe("summariseBitmaps", () => {
  test.each([
    ["recording", {}],
    ["busy", { busy: true }],
    ["busy", { busy: true, recording: false }],
    ["not-recording", { recording: false }],
    ["not-persistent", { persistent: false }],
    ["not-persistent", { persistent: false, busy: true }],
    ["inconsistent", { inconsistent: true, recording: false }],
  ] as const)("%s for %o", (state, flags) => {
    expect(stateOf([bitmap(flags)])).toEqual([state]);
  });

  test("a bitmap that began in an upper layer is fine, one that an upper layer lacks has a gap", () => {
    expect(stateOf([bitmap()], [])).toEqual(["recording"]);
    expect(stateOf([bitmap()], [bitmap()])).toEqual(["recording"]);
    expect(stateOf([], [bitmap()])).toEqual(["gap"]);
    expect(stateOf([bitmap()], [], [bitmap()])).toEqual(["gap"]);
  });

  test("one broken layer breaks the bitmap", () => {
    expect(stateOf([bitmap()], [bitmap({ inconsistent: true })])).toEqual(["inconsistent"]);
    expect(stateOf([bitmap()], [bitmap({ recording: false })])).toEqual(["not-recording"]);
  });

  test("sums the counts over layers and names the uppermost; no count anywhere is null, not zero", () => {
    const read = summariseBitmaps(disk([bitmap({ dirtyBytes: 1 })], [bitmap({ dirtyBytes: 2 })]));
    expect(read).toMatchObject({ ok: true, value: [{ dirtyBytes: 3, layer: "/l0", granularity: 64 * KIB }] });
    expect(summariseBitmaps(disk([bitmap({ dirtyBytes: null })]))).toMatchObject({ value: [{ dirtyBytes: null }] });
  });

  test("skips nameless bitmaps and a running job's own helpers, but not what is persistent", () => {
    const helpers = [
      bitmap({ name: "" }),
      bitmap({ name: "backup-vda", persistent: false }),
      bitmap({ name: "libvirt-tmp-1", persistent: false }),
    ];
    expect(stateOf(helpers)).toEqual([]);
    expect(stateOf([bitmap({ name: "backup-vda" })])).toEqual(["recording"]);
    expect(stateOf([bitmap({ name: "backup-vdb", persistent: false })])).toEqual(["not-persistent"]);
  });

  test("a failed read stays failed", () => {
    const error = { code: "timeout", message: "", hostMessage: null, retryable: true } as const;
    expect(summariseBitmaps({ ...disk(), layers: { ok: false, error } })).toEqual({ ok: false, error });
  });

  test("only recording and busy are healthy", () => {
    const states = ["recording", "busy", "inconsistent", "not-recording", "not-persistent", "gap"] as const;
    expect(states.filter((state) => isHealthy({ state }))).toEqual(["recording", "busy"]);
  });
});
