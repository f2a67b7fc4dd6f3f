import { describe, expect, test } from "vitest";
import { findDrift } from "./findings/index.ts";
import type { DiskVerdict, DriftInput, LayerBitmap, VerdictWord } from "./model.ts";
import { healthyInput, healthyLine, hour, KIB } from "./testing/healthy.ts";
import { nextBackup, summariseNextBackup } from "./verdict.ts";
import { isVerdictReason } from "./words.ts";

const next = (input: DriftInput) => nextBackup({ ...input, findings: findDrift(input) });
const short = (input: DriftInput) =>
  next(input).map(({ disk, verdict, from, reason }) => [disk, verdict, from ?? reason]);

function bitmaps(input: DriftInput, target = "vda"): LayerBitmap[] {
  const layers = input.observation.disks.find((disk) => disk.target === target)?.layers;
  const top = layers?.ok ? layers.value[0] : undefined;
  if (!top) throw new Error("the disk is read");
  return top.bitmaps;
}

function breakBitmap(input: DriftInput, name: string, flags: Partial<LayerBitmap>, target = "vda") {
  for (const bitmap of bitmaps(input, target)) if (bitmap.name === name) Object.assign(bitmap, flags);
}

const failed = (code: "timeout" | "image-locked" | "unreadable") =>
  ({ ok: false, error: { code, message: "", hostMessage: null, retryable: true } }) as const;

describe("nextBackup", () => {
  test("is incremental from the newest checkpoint with its dirty bytes; cold has no estimate", () => {
    expect(next(healthyLine(3))).toEqual([
      { disk: "vda", verdict: "incremental", from: "cp2", estimatedBytes: 64 * KIB, reason: null },
    ]);
    expect(next(healthyLine(3, ["vda"], "shut-off"))).toMatchObject([{ from: "cp2", estimatedBytes: null }]);
  });

  test("a broken old bitmap spoils nothing, a broken new one falls back to the next older", () => {
    const old = healthyLine(3);
    breakBitmap(old, "cp0", { inconsistent: true });
    expect(short(old)).toEqual([["vda", "incremental", "cp2"]]);
    const young = healthyLine(3);
    breakBitmap(young, "cp2", { recording: false });
    expect(short(young)).toEqual([["vda", "incremental", "cp1"]]);
  });

  test.each([
    ["bitmap-inconsistent", { inconsistent: true }],
    ["bitmap-not-recording", { recording: false }],
    ["bitmap-not-persistent", { persistent: false }],
    ["bitmap-missing", { name: "gone" }],
  ] as const)("is full with the reason %s when no base is left", (reason, flags) => {
    const input = healthyLine(1);
    breakBitmap(input, "cp0", flags);
    expect(short(input)).toEqual([["vda", "full", reason]]);
  });

  test("never takes a bitmap that was made anew with another granularity, but an older one that was not", () => {
    const input = healthyLine(2);
    breakBitmap(input, "cp1", { granularity: 32 * KIB, dirtyBytes: 0 });
    expect(short(input)).toEqual([["vda", "incremental", "cp0"]]);
    breakBitmap(input, "cp0", { granularity: 32 * KIB, dirtyBytes: 0 });
    expect(short(input)).toEqual([["vda", "full", "bitmap-remade"]]);
  });

  test("looks at the current line only", () => {
    const input = healthyInput({ parents: [null, 0, 0], targets: ["vda"] });
    breakBitmap(input, "cp2", { inconsistent: true });
    expect(short(input)).toEqual([["vda", "incremental", "cp0"]]);
  });

  test("never takes a checkpoint whose backup did not finish", () => {
    for (const change of [
      { backup: "failed" },
      { backup: "aborted" },
      { backup: "running" },
      { state: "creating" },
      { state: "deleting" },
    ]) {
      const input = healthyLine(2);
      Object.assign(input.record.checkpoints[1] ?? {}, change);
      expect(short(input)).toEqual([["vda", "incremental", "cp0"]]);
      Object.assign(input.record.checkpoints[0] ?? {}, { backup: "failed" });
      expect(short(input)[0]?.[1]).toBe("full");
    }
    const adopted = healthyLine(1);
    Object.assign(adopted.record.checkpoints[0] ?? {}, { backup: null, origin: "adopted" });
    expect(short(adopted)).toEqual([["vda", "incremental", "cp0"]]);
  });

  test("mixes disks: one rewound is full as a whole, the other stays incremental", () => {
    const input = healthyLine(3, ["vda", "vdb"]);
    breakBitmap(input, "cp0", { dirtyBytes: 0 }, "vdb");
    expect(short(input)).toEqual([
      ["vda", "incremental", "cp2"],
      ["vdb", "full", "rewound"],
    ]);
    input.record.acknowledged = findDrift(input).map(({ id }) => id);
    expect(short(input)[1]).toEqual(["vdb", "full", "rewound"]);
  });

  test("a disk that was not read is unknown, the others are told", () => {
    const input = healthyLine(2, ["vda", "vdb", "vdc"]);
    const [, vdb, vdc] = input.observation.disks;
    if (vdb) vdb.layers = failed("image-locked");
    if (vdc) vdc.layers = failed("unreadable");
    expect(short(input)).toEqual([
      ["vda", "incremental", "cp1"],
      ["vdb", "unknown", "bitmaps-not-read"],
      ["vdc", "blocked", "unreadable"],
    ]);
  });

  test("a base that libvirt lists wrongly or not at all blocks, a list that was not read leaves it unknown", () => {
    const wrong = healthyLine(2, ["vda", "vdb"]);
    const list = wrong.observation.checkpoints.ok ? wrong.observation.checkpoints.value : [];
    const newest = list[1];
    newest?.disks.pop();
    expect(short(wrong)).toEqual([
      ["vda", "incremental", "cp1"],
      ["vdb", "blocked", "metadata-differs"],
    ]);
    list.pop();
    expect(short(wrong)[0]).toEqual(["vda", "blocked", "metadata-missing"]);
    wrong.observation.checkpoints = failed("timeout");
    expect(short(wrong)[0]).toEqual(["vda", "unknown", "metadata-not-read"]);
  });

  test("raw and compat 0.10 are always full", () => {
    const input = healthyLine(1, ["vda", "vdb"]);
    input.observation.disks.forEach((disk, index) => {
      const top = disk.layers.ok ? disk.layers.value[0] : undefined;
      if (top) Object.assign(top, index === 0 ? { format: "raw", qcow2Compat: null } : { qcow2Compat: "0.10" });
    });
    expect(short(input)).toEqual([
      ["vda", "full", "unsupported"],
      ["vdb", "full", "unsupported"],
    ]);
  });

  test("a VM never read is unknown for every recorded disk, an absent one is told from its images", () => {
    const input = healthyLine(2, ["vda", "vdb"]);
    expect(nextBackup({ record: input.record, observation: null, findings: [] })).toMatchObject([
      { disk: "vda", verdict: "unknown", reason: "not-observed" },
      { disk: "vdb", verdict: "unknown", reason: "not-observed" },
    ]);
    const absent = healthyLine(2, ["vda", "vdb"], "absent");
    absent.observation.checkpoints = { ok: true, value: [] };
    absent.observation.disks.pop();
    expect(short(absent)).toEqual([
      ["vda", "incremental", "cp1"],
      ["vdb", "unknown", "disk-not-observed"],
    ]);
  });

  test("two hosts, a broken record and a stuck backup block every disk", () => {
    const stuck = healthyLine(1, ["vda", "vdb"]);
    stuck.runningBackup = { checkpointId: null, startedAt: hour(1) };
    expect(short(stuck)).toEqual([
      ["vda", "blocked", "backup-stuck"],
      ["vdb", "blocked", "backup-stuck"],
    ]);
    const broken = healthyLine(2);
    Object.assign(broken.record.checkpoints[0] ?? {}, { parentId: "cp1" });
    expect(short(broken)).toEqual([["vda", "blocked", "record-broken"]]);
  });

  test("a heal under way leaves its disks unknown, a backup under way does not", () => {
    const input = healthyLine(1);
    const job = { startedAt: hour(1), checkpointIds: [], disks: ["vda"] };
    input.inFlight = [{ ...job, kind: "heal" }];
    expect(short(input)).toEqual([["vda", "unknown", "job-in-flight"]]);
    input.inFlight = [{ ...job, kind: "backup" }];
    expect(short(input)).toEqual([["vda", "incremental", "cp0"]]);
  });

  test("every reason has words", () => {
    const input = healthyLine(1, ["vda", "vdb"]);
    input.record.checkpoints = [];
    for (const { reason } of next(input)) expect(reason !== null && isVerdictReason(reason)).toBe(true);
  });
});

test.each([
  [[], "unknown"],
  [["incremental", "incremental"], "incremental"],
  [["full"], "full"],
  [["full", "incremental"], "mixed"],
  [["full", "unknown"], "unknown"],
  [["unknown", "blocked", "full"], "blocked"],
] as const)("a VM with %j is %s", (words: readonly VerdictWord[], expected) => {
  const verdicts = words.map(
    (verdict): DiskVerdict => ({ disk: "vda", verdict, from: null, estimatedBytes: null, reason: null }),
  );
  expect(summariseNextBackup(verdicts)).toBe(expected);
});
