import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeFinding } from "./findings/make.ts";
import { arbHealthy } from "./testing/generators.ts";
import { healthyBitmap, healthyLine } from "./testing/healthy.ts";
import { validateSet, withHistory } from "./validate.ts";

const validate = ({ record, observation }: ReturnType<typeof healthyLine>) =>
  validateSet({ checkpoints: record.checkpoints.map(({ backup: _, ...item }) => item), observation });

describe("validateSet", () => {
  test("a complete set that matches is valid, in any tree", () => {
    fc.assert(
      fc.property(arbHealthy(), (input) => {
        expect(validate(input)).toEqual({ valid: true, findings: [], unknown: [] });
      }),
    );
  });

  test("lists missing and unknown bitmaps of the whole set at once", () => {
    const input = healthyLine(3, ["vda", "vdb"]);
    input.observation.disks.forEach(({ layers }, index) => {
      const bitmaps = layers.ok ? layers.value[0]?.bitmaps : undefined;
      if (index === 0) bitmaps?.splice(1, 1);
      else bitmaps?.push(healthyBitmap("stray", 0));
    });
    const { valid, findings } = validate(input);
    expect(valid).toBe(false);
    expect(findings.map(({ id }) => id)).toEqual(["bitmap.missing|cp1|vda|cp1", "bitmap.unknown||vdb|stray"]);
  });

  test("what could not be read leaves it open, what was found wrong does not", () => {
    const input = healthyLine(2, ["vda", "vdb"]);
    const error = { code: "image-locked", message: "", hostMessage: null, retryable: true } as const;
    const [vda, vdb] = input.observation.disks;
    if (vdb) vdb.layers = { ok: false, error };
    expect(validate(input)).toEqual({ valid: null, findings: [], unknown: [{ disk: "vdb", error }] });
    if (vda?.layers.ok) for (const layer of vda.layers.value) layer.bitmaps.pop();
    expect(validate(input)).toMatchObject({ valid: false, unknown: [{ disk: "vdb" }] });
  });

  test("a VM that the host does not know cannot be validated", () => {
    const input = healthyLine(1, ["vda"], "absent");
    input.observation.checkpoints = { ok: true, value: [] };
    expect(validate(input)).toMatchObject({ valid: null, findings: [], unknown: [{ disk: null }] });
  });

  test("what is being made or deleted now is no fault, with and without a trace of it on the host", () => {
    const job = { kind: "backup" as const, startedAt: "2026-01-01T00:00:00Z", checkpointIds: ["cp2"], disks: ["vda"] };
    const making = healthyLine(3);
    const set = making.record.checkpoints
      .map((item) => (item.id === "cp2" ? { ...item, state: "creating" as const, backup: "running" as const } : item))
      .map(({ backup, ...item }) => (backup ? { ...item, backup } : item));
    const { observation } = making;
    expect(validateSet({ checkpoints: set, observation, inFlight: [job] })).toMatchObject({
      valid: true,
      findings: [],
    });
    // Its making is recorded, and nobody works on it any more: that is said, and not that it is a stranger.
    expect(validateSet({ checkpoints: set, observation }).findings.map(({ kind }) => kind)).toEqual([
      "checkpoint.unfinished",
    ]);
  });

  test("a root that is being deleted is still the parent of the next, and no stranger on the host", () => {
    const { record, observation } = healthyLine(3);
    const checkpoints = record.checkpoints.map(({ backup: _, ...item }) =>
      item.id === "cp0" ? { ...item, state: "deleting" as const } : item,
    );
    const job = { kind: "prune" as const, startedAt: "2026-01-01T00:00:00Z", checkpointIds: ["cp0"], disks: ["vda"] };
    expect(validateSet({ checkpoints, observation, inFlight: [job] })).toEqual({
      valid: true,
      findings: [],
      unknown: [],
    });
  });

  test("a retired disk is missed by nobody", () => {
    const { record, observation } = healthyLine(2, ["vda", "vdb"]);
    observation.disks = observation.disks.filter(({ target }) => target !== "vdb");
    const checkpoints = record.checkpoints.map(({ backup: _, ...item }) => item);
    expect(validateSet({ checkpoints, observation }).findings.map(({ kind }) => kind)).toContain("disk.gone");
    expect(validateSet({ checkpoints, observation, retiredDisks: ["vdb"] })).toMatchObject({ valid: true });
  });

  test("judges the set alone: no disk is called new or replaced, and a raw one is no fault", () => {
    const input = healthyLine(1);
    const identity = { path: "/z", device: null, inode: null, size: null };
    input.observation.disks.push({
      target: "vdz",
      source: "/z",
      format: "raw",
      virtualSize: 1,
      identity,
      layers: { ok: true, value: [] },
    });
    expect(validate(input)).toMatchObject({ valid: true, findings: [{ kind: "disk.unsupported" }] });
  });

  test("a bitmap that was made anew with another granularity than recorded makes the set invalid, one between images does not", () => {
    const input = healthyLine(2);
    const recorded = (granularity: number | null) =>
      validateSet({
        checkpoints: input.record.checkpoints.map(({ backup: _, ...item }) => ({
          ...item,
          disks: item.disks.map(({ target }) => ({ target, granularity })),
        })),
        observation: input.observation,
      });
    for (const { layers } of input.observation.disks)
      for (const bitmap of (layers.ok && layers.value[0]?.bitmaps) || [])
        if (bitmap.name === "cp1") bitmap.granularity = 32_768;
    expect(recorded(65_536)).toMatchObject({
      valid: false,
      findings: [{ id: "bitmap.granularity-differs|cp1|vda|cp1", severity: "loss", reason: "from-record" }],
    });
    expect(recorded(null)).toMatchObject({ valid: true, findings: [] });
  });
});

describe("withHistory", () => {
  const whole = { valid: true, findings: [], unknown: [] };
  const error = { code: "image-locked", message: "", hostMessage: null, retryable: true } as const;
  const of = (kind: "bitmap.rewound" | "disk.replaced" | "metadata.unknown") =>
    makeFinding({ kind, checkpointId: "cp0", disk: "vda", bitmap: "cp0", evidence: {} });

  test("an older image or another one makes a set invalid that looks whole, and is named once", () => {
    for (const kind of ["bitmap.rewound", "disk.replaced"] as const) {
      const found = of(kind);
      expect(withHistory(whole, [found])).toEqual({ valid: false, findings: [found], unknown: [] });
      expect(withHistory({ ...whole, findings: [found] }, [found]).findings).toEqual([found]);
      const unread = [{ disk: "vda", error }];
      expect(withHistory({ valid: null, findings: [], unknown: unread }, [found])).toMatchObject({ valid: false });
    }
  });

  test("what a person accepted, and what the set's own validation looks at, is not taken from the past", () => {
    const moved = { ...of("disk.replaced"), acknowledged: true };
    expect(withHistory(whole, [moved, of("metadata.unknown")])).toEqual(whole);
  });
});
