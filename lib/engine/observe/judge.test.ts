import { expect, test } from "vitest";
import type { DriftInput, Finding } from "#chain/model.ts";
import { counting } from "#chain/testing/counting.ts";
import { healthyBitmap, healthyLine, imagePath, KIB } from "#chain/testing/healthy.ts";
import { judge } from "./judge.ts";

const GRANULE = 64 * KIB;

/** A healthy running VM whose base bitmap was once seen with more dirty bytes than it has now. */
function rewound() {
  const input = healthyLine(2);
  input.samples = [
    {
      target: "vda",
      bitmap: "cp1",
      layerPath: imagePath("vda"),
      dirtyBytes: 1_000_000 * GRANULE,
      granularity: GRANULE,
      at: "2026-01-01T00:00:00Z",
      runtimeId: null,
    },
  ];
  return { input, findings: judge(input, []).findings };
}

test("a rewind stands after its count has grown past the old one, and the next backup stays full", () => {
  const { input, findings } = rewound();
  expect(findings.map((finding) => finding.id)).toEqual(["bitmap.rewound|cp1|vda|cp1"]);
  const later = judge({ ...input, samples: [] }, findings);
  expect(later.findings.map((finding) => finding.id)).toEqual(["bitmap.rewound|cp1|vda|cp1"]);
  expect(later.agreement).toBe("differs");
  expect(later.verdicts[0]?.from).not.toBe("cp1");
});

test("a rewind ends when the checkpoint leaves the record or its bitmap leaves the disk", () => {
  const { input, findings } = rewound();
  const record = { ...input.record, checkpoints: input.record.checkpoints.filter((item) => item.id !== "cp1") };
  expect(judge({ ...input, record, samples: [] }, findings).findings.map((f) => f.kind)).not.toContain(
    "bitmap.rewound",
  );
  const disks = input.observation.disks.map((disk) =>
    disk.layers.ok
      ? {
          ...disk,
          layers: {
            ok: true as const,
            value: disk.layers.value.map((layer) => ({
              ...layer,
              bitmaps: layer.bitmaps.filter((b) => b.name !== "cp1"),
            })),
          },
        }
      : disk,
  );
  const kinds = judge({ ...input, observation: { ...input.observation, disks }, samples: [] }, findings).findings.map(
    (f) => f.kind,
  );
  expect(kinds).toContain("bitmap.missing");
  expect(kinds).not.toContain("bitmap.rewound");
});

test("what could not be read keeps its findings, and never agrees", () => {
  const input = healthyLine(2);
  const missing = { ...input.observation, checkpoints: { ok: true as const, value: [] } };
  const before = judge({ ...input, observation: missing }, []).findings;
  expect(before.map((finding) => finding.kind)).toEqual(["metadata.missing", "metadata.missing"]);
  const error = { code: "timeout", message: "late", hostMessage: null, retryable: true } as const;
  const unread = { ...input.observation, checkpoints: { ok: false as const, error } };
  const after = judge({ ...input, observation: unread }, before);
  expect(after.findings.map((finding) => finding.id)).toEqual(before.map((finding) => finding.id));
  expect(judge({ ...input, observation: unread }, []).agreement).toBe("unknown");
});

const LATE = { code: "timeout", message: "late", hostMessage: null, retryable: true } as const;
const kindsOf = (findings: { kind: string }[]) => findings.map(({ kind }) => kind).sort();

test("a job that could not be read leaves its own finding standing, and none of what was read and has healed", () => {
  const input = healthyLine(2);
  const runningBackup = { checkpointId: null, startedAt: "2025-01-01T00:00:00Z" };
  const lost = { ...input.observation, checkpoints: { ok: true as const, value: [] } };
  const before = judge({ ...input, runningBackup, observation: lost }, []).findings;
  expect(kindsOf(before)).toEqual(["backup.stuck", "metadata.missing", "metadata.missing"]);
  const unread = { ...input.observation, job: { ok: false as const, error: LATE } };
  expect(kindsOf(judge({ ...input, runningBackup, observation: unread }, before).findings)).toEqual(["backup.stuck"]);
  expect(judge({ ...input, observation: unread }, before).findings).toEqual([]);
});

test("a list that could not be read leaves an unknown bitmap unknown", () => {
  const input = healthyLine(2);
  for (const { layers } of input.observation.disks)
    if (layers.ok) layers.value[0]?.bitmaps.push(healthyBitmap("stray", null));
  const before = judge(input, []).findings;
  expect(kindsOf(before)).toEqual(["bitmap.unknown"]);
  const unread = { ...input.observation, checkpoints: { ok: false as const, error: LATE } };
  expect(kindsOf(judge({ ...input, observation: unread }, before).findings)).toEqual(["bitmap.unknown"]);
});

test("a checkpoint that libvirt does not list stands while its bitmaps cannot be read, and ends when it is listed", () => {
  const input = healthyLine(1);
  const disks = input.observation.disks.map((disk) => ({ ...disk, layers: { ok: false as const, error: LATE } }));
  const lost = { ...input.observation, checkpoints: { ok: true as const, value: [] } };
  const before = judge({ ...input, observation: lost }, []).findings;
  expect(kindsOf(judge({ ...input, observation: { ...lost, disks } }, before).findings)).toEqual(["metadata.missing"]);
  expect(judge({ ...input, observation: { ...input.observation, disks } }, before).findings).toEqual([]);
});

test("a finding is told apart from those that the observation itself shows when it stands on an earlier one", () => {
  const { input, findings } = rewound();
  expect([...judge(input, findings).carried]).toEqual([]);
  expect([...judge({ ...input, samples: [] }, findings).carried]).toEqual(["bitmap.rewound|cp1|vda|cp1"]);
});

test("an accepted finding is carried over as accepted", () => {
  const { input, findings } = rewound();
  const record = { ...input.record, acknowledged: ["bitmap.rewound|cp1|vda|cp1"] };
  expect(judge({ ...input, record, samples: [] }, findings).findings.map((finding) => finding.acknowledged)).toEqual([
    true,
  ]);
});

const TARGETS = ["vda", "vdb"];
const LOST = { ok: true as const, value: [] };

/** A chain that was lost or rewound whole, and the read after it, which cannot settle it. */
const STANDING: [string, (input: DriftInput) => { stood: Finding[]; next: DriftInput }][] = [
  [
    "lost, then no disk is read",
    (input) => {
      const lost = { ...input.observation, checkpoints: LOST };
      const disks = lost.disks.map((disk, at) =>
        at ? disk : { ...disk, layers: { ok: false as const, error: LATE } },
      );
      return {
        stood: judge({ ...input, observation: lost }, []).findings,
        next: { ...input, observation: { ...lost, disks } },
      };
    },
  ],
  [
    "rewound, then grown past the old counts",
    (input) => {
      const samples = input.record.checkpoints.flatMap(({ id }) =>
        TARGETS.map((target) => ({
          target,
          bitmap: id,
          layerPath: imagePath(target),
          dirtyBytes: 1e15,
          granularity: GRANULE,
          at: "2026-01-01T00:00:00Z",
          runtimeId: null,
        })),
      );
      return { stood: judge({ ...input, samples }, []).findings, next: input };
    },
  ],
];

test.each(STANDING)("the cost of what stands grows in step with the chain: %s", (_, make) => {
  const cost = (count: number) => {
    const { value, reads } = counting(make(healthyLine(count, TARGETS)));
    expect(judge(value.next, value.stood).findings.length).toBeGreaterThanOrEqual(count);
    return reads();
  };
  expect(cost(400) / cost(100)).toBeLessThan(4.5);
});
