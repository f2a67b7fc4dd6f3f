import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findDrift, guessOwner } from "../findings/index.ts";
import { FINDING_KINDS, OBSERVE_ERROR_CODES } from "../model.ts";
import { healthyLine, VM_UUID } from "../testing/healthy.ts";
import * as words from "../words.ts";

describe("formatBytes", () => {
  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [65_536, "64 KiB"],
    [3_145_728, "3 MiB"],
    [1_048_575, "1 MiB"],
    [13_314_398_617, "12.4 GiB"],
    [214_748_364_800, "200 GiB"],
    [Number.MAX_SAFE_INTEGER, "8 PiB"],
    [-2048, "-2 KiB"],
  ])("%d is %s", (bytes, text) => {
    expect(words.formatBytes(bytes)).toBe(text);
  });

  test("never shows 1024 of a unit that has a next one", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(Number(words.formatBytes(bytes).split(" ")[0])).toBeLessThan(1024);
      }),
    );
  });
});

describe("findings", () => {
  test.each(FINDING_KINDS)("%s is explained in whole sentences that name its subject and never say sync", (kind) => {
    const subject = { checkpointId: "cp7", disk: "vdq", bitmap: "bm" };
    const { explanation, consequence } = words.findingWords({ kind, subject, reason: null, owner: null });
    for (const text of [explanation, consequence]) {
      expect(text).toMatch(/^[A-Zl].*\.$/s);
      expect(text).not.toMatch(/\bsync|oops|sorry|"(null|undefined)?"/i);
    }
    const title = words.findingTitle({ kind, subject });
    expect(title.startsWith(words.KIND_TITLES[kind])).toBe(true);
    expect(title).toContain("cp7");
  });

  test("kinds have titles of their own", () => {
    expect(new Set(Object.values(words.KIND_TITLES)).size).toBe(FINDING_KINDS.length);
  });

  test("copies as stable plain text", () => {
    const input = healthyLine(1);
    input.observation.checkpoints = { ok: true, value: [] };
    const [finding] = findDrift(input);
    if (!finding) throw new Error("one is missing");
    const text = words.findingAsText(finding, {
      vmName: "web1",
      vmId: VM_UUID,
      hostName: "alpha",
      observedAt: "2026-01-02T03:04:05.000Z",
    });
    expect(text.split("\n").slice(0, 7)).toEqual([
      "[Block] libvirt does not list the checkpoint: checkpoint cp0",
      `VM:           web1 (${VM_UUID})`,
      "Host:         alpha",
      "Finding:      metadata.missing",
      "Observed:     2026-01-02T03:04:05.000Z",
      "Record:       recorded 2026-01-01T00:00:00.000Z for vda",
      "libvirt:      no checkpoint of this name",
    ]);
    expect(text).toContain("Remedy:       Redefine");
  });
});

test.each(OBSERVE_ERROR_CODES)("a read that failed with %s says what it means and what to do next", (code) => {
  const { title, explanation, next } = words.observeErrorWords(code);
  expect(title).not.toBe("");
  expect(explanation).toMatch(/\.$/);
  expect(next).toMatch(/\.$/);
});

test.each([
  ["agreement", words.AGREEMENT_LABELS],
  ["next backup", words.NEXT_BACKUP_LABELS],
  ["freshness", words.FRESHNESS_LABELS],
  ["severity", words.SEVERITY_LABELS],
  ["bitmap state", words.BITMAP_STATE_LABELS],
  ["power", words.POWER_LABELS],
])("every value of %s has a letter and a word of its own", (_, labels) => {
  const values: words.Label[] = Object.values(labels);
  expect(new Set(values.map(({ letter }) => letter)).size).toBe(values.length);
  expect(new Set(values.map(({ label }) => label)).size).toBe(values.length);
});

describe("verdicts", () => {
  test("read as one line", () => {
    const verdict = {
      disk: "vda",
      verdict: "incremental",
      from: "cp9",
      estimatedBytes: 3_145_728,
      reason: null,
    } as const;
    expect(words.verdictLine(verdict)).toBe("vda: incremental from cp9, about 3 MiB");
    expect(words.verdictLine({ ...verdict, estimatedBytes: null })).toBe("vda: incremental from cp9, size not known");
    expect(words.verdictLine({ ...verdict, verdict: "full", reason: "rewound" })).toBe(
      "vda: full (An older image was put back; no bitmap of this disk can be trusted)",
    );
  });

  test("an unknown reason is shown as it is", () => {
    expect(words.verdictReasonWords("later-version")).toBe("later-version");
    expect(words.VERDICT_REASONS.every((reason) => words.verdictReasonWords(reason).endsWith("."))).toBe(true);
  });
});

test.each([
  ["virtnbdbackup.12", "virtnbdbackup"],
  ["0f8fad5b-d9cb-469f-a165-70867728950e", "oVirt"],
  ["one-12-3", "OpenNebula"],
  ["cp1", null],
  ["virtnbdbackup.x", null],
])("%s probably belongs to %s", (name, owner) => {
  expect(guessOwner(name)).toBe(owner);
});
