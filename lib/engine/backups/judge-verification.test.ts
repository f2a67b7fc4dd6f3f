import { expect, test } from "vitest";
import { judgeDisk, summarise, type VerifiedDisk } from "./judge-verification.ts";

const DIGEST = "a".repeat(64);
const item = (more: Partial<VerifiedDisk> = {}): VerifiedDisk => ({
  type: "disk",
  target: "vda",
  images: [{ path: "/r/vda.qcow2", ok: true, corruptions: 0, leaks: 0, error: null }],
  sha256: DIGEST,
  virtualSize: 1,
  comparedWithDisk: "not-comparable",
  detail: null,
  error: null,
  ...more,
});

test("a restore is proven by the recorded digest, whatever the disk has become since", () => {
  for (const comparedWithDisk of ["equal", "differs", "not-comparable"] as const)
    expect(judgeDisk(DIGEST, item({ comparedWithDisk })).ok).toBe(true);
  expect(judgeDisk("b".repeat(64), item({ comparedWithDisk: "equal" })).ok).toBe(false);
});

test("without a recorded digest only the stopped disk itself proves it; nothing to compare with is no proof", () => {
  expect(judgeDisk(null, item({ comparedWithDisk: "equal" }))).toEqual({
    ok: true,
    words: "equal to the stopped disk",
  });
  expect(judgeDisk(null, item({ comparedWithDisk: "differs" })).ok).toBe(false);
  expect(judgeDisk(null, item()).ok).toBe(false);
});

test("a damaged image, a restore that failed and a missing answer are never good", () => {
  const bad = { path: "/r/x", ok: false, corruptions: 1, leaks: 0, error: null };
  expect(judgeDisk(DIGEST, item({ images: [bad] }))).toEqual({ ok: false, words: "/r/x is damaged: 1 corruptions" });
  expect(judgeDisk(DIGEST, item({ sha256: null })).ok).toBe(false);
  expect(judgeDisk(DIGEST, undefined).ok).toBe(false);
  expect(summarise([]).ok).toBe(false);
  const verdicts = [
    { target: "vda", verdict: judgeDisk(DIGEST, item()) },
    { target: "vdb", verdict: judgeDisk(DIGEST, undefined) },
  ];
  expect(summarise(verdicts).ok).toBe(false);
});
