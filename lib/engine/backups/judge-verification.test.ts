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

test("where the disk cannot be compared, the recorded digest proves a restore", () => {
  expect(judgeDisk(DIGEST, item()).ok).toBe(true);
  expect(judgeDisk(DIGEST, item({ comparedWithDisk: "equal" })).ok).toBe(true);
  for (const comparedWithDisk of ["equal", "differs", "not-comparable"] as const)
    expect(judgeDisk("b".repeat(64), item({ comparedWithDisk })).ok).toBe(false);
});

test("a stopped, unwritten disk that differs disproves a backup, also one that is as it was when it was made", () => {
  const differing = item({ comparedWithDisk: "differs", detail: "first at byte 512" });
  const asMade = judgeDisk(DIGEST, differing);
  expect(asMade.ok).toBe(false);
  expect(asMade.words).toMatch(/as it was when it was made.*\(first at byte 512\).*wrong from the start.*past QEMU/);
  expect(asMade.words).toContain("Make a full backup");
  const unrecorded = judgeDisk(null, differing);
  expect(unrecorded.ok).toBe(false);
  expect(unrecorded.words).not.toContain("as it was when it was made");
});

test("without a recorded digest only the stopped disk itself proves it; nothing to compare with is no proof", () => {
  expect(judgeDisk(null, item({ comparedWithDisk: "equal" }))).toEqual({
    ok: true,
    words: "equal to the stopped disk",
  });
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
