import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countsDigestInput, countsOf, digestInput } from "./digest.ts";
import type { Observation } from "./model.ts";
import { arbHealthy, arbReordered } from "./testing/generators.ts";
import { healthyBitmap, healthyLine, MIB } from "./testing/healthy.ts";

const base = () => healthyLine(2, ["vda", "vdb"]).observation;

function changed(change: (observation: Observation) => void): Observation {
  const observation = base();
  change(observation);
  return observation;
}

function top(observation: Observation) {
  const layers = observation.disks[0]?.layers;
  const layer = layers?.ok ? layers.value[0] : undefined;
  const bitmap = layer?.bitmaps[0];
  if (!layer || !bitmap) throw new Error("the first disk is read and has bitmaps");
  return { layer, bitmap };
}

describe("digestInput", () => {
  test.each<[string, (observation: Observation) => void]>([
    ["time", (it) => Object.assign(it, { observedAt: "2030-01-01T00:00:00.000Z" })],
    ["dirty counts", (it) => Object.assign(top(it).bitmap, { dirtyBytes: 7 * MIB })],
    ["busy", (it) => Object.assign(top(it).bitmap, { busy: true })],
    ["digests", (it) => Object.assign(it, { digest: "d", countsDigest: "c" })],
    ["job progress", (it) => it.job.ok && Object.assign(it.job.value, { elapsedMs: 9, doneBytes: 1, totalBytes: 2 })],
    ["nameless bitmaps of a job", (it) => top(it).layer.bitmaps.push({ ...healthyBitmap("", 0), persistent: false })],
  ])("does not depend on %s", (_, change) => {
    expect(digestInput(changed(change))).toBe(digestInput(base()));
  });

  test.each<[string, (observation: Observation) => void]>([
    ["power", (it) => Object.assign(it, { power: "paused" })],
    ["runtime id", (it) => Object.assign(it, { runtimeId: "run-2" })],
    ["a checkpoint gone", (it) => it.checkpoints.ok && it.checkpoints.value.pop()],
    ["a list that failed", (it) => Object.assign(it, { checkpoints: failed })],
    ["a disk that failed", (it) => Object.assign(it.disks[0] ?? {}, { layers: failed })],
    ["an identity", (it) => Object.assign(it.disks[0]?.identity ?? {}, { inode: "5" })],
    ["a flag", (it) => Object.assign(top(it).bitmap, { recording: false })],
    ["a stray bitmap", (it) => top(it).layer.bitmaps.push(healthyBitmap("stray", 0))],
    ["the kind of job", (it) => it.job.ok && Object.assign(it.job.value, { operation: "backup" })],
  ])("depends on %s", (_, change) => {
    expect(digestInput(changed(change))).not.toBe(digestInput(base()));
  });

  test("does not depend on the order in which a host lists things", () => {
    const pair = arbHealthy().chain((input) => fc.tuple(fc.constant(input), arbReordered(input)));
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(digestInput(b.observation)).toBe(digestInput(a.observation));
        expect(countsDigestInput(b.observation)).toBe(countsDigestInput(a.observation));
      }),
    );
  });
});

const failed = { ok: false, error: { code: "timeout", message: "", hostMessage: null, retryable: true } };

describe("countsDigestInput", () => {
  test("moves with a count and with nothing else", () => {
    expect(countsDigestInput(changed((it) => Object.assign(top(it).bitmap, { dirtyBytes: 1 })))).not.toBe(
      countsDigestInput(base()),
    );
    expect(countsDigestInput(changed((it) => Object.assign(top(it).bitmap, { busy: true })))).toBe(
      countsDigestInput(base()),
    );
  });

  test("a cold read has no counts", () => {
    expect(countsOf(healthyLine(3, ["vda"], "shut-off").observation)).toEqual([]);
    expect(countsOf(base())).toHaveLength(4);
  });
});
