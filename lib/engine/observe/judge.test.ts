import { expect, test } from "vitest";
import { healthyLine, imagePath, KIB } from "#chain/testing/healthy.ts";
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

test("an accepted finding is carried over as accepted", () => {
  const { input, findings } = rewound();
  const record = { ...input.record, acknowledged: ["bitmap.rewound|cp1|vda|cp1"] };
  expect(judge({ ...input, record, samples: [] }, findings).findings.map((finding) => finding.acknowledged)).toEqual([
    true,
  ]);
});
