import { expect, test } from "vitest";
import type { DriftInput } from "../model.ts";
import { counting } from "../testing/counting.ts";
import { healthyInput, healthyLine, imagePath, KIB, lineParents } from "../testing/healthy.ts";
import { nextBackup } from "../verdict.ts";
import { carryProofs, findDrift } from "./index.ts";

/** Of this read, after one that gave the same findings. */
function costOf(input: DriftInput): number {
  const { value, reads } = counting({ ...input, previous: findDrift(input) });
  const current = findDrift(value);
  // Those that would be found again need not be carried: then everything stands on what stood.
  for (const found of [current, []]) {
    const findings = carryProofs({ ...value, current: found });
    nextBackup({ ...value, findings });
  }
  return reads();
}

const TARGETS = ["vda", "vdb", "vdc", "vdd"];

/** Healthy, all lost by libvirt, every bitmap rewound, every bitmap gone. */
const CASES: [string, (input: DriftInput) => void][] = [
  ["agrees", () => undefined],
  [
    "libvirt lost its list",
    (input) => {
      input.observation.checkpoints = { ok: true, value: [] };
    },
  ],
  [
    "everything rewound",
    (input) => {
      input.samples = input.record.checkpoints.flatMap(({ id, disks }) =>
        disks.map(({ target }) => ({
          target,
          bitmap: id,
          layerPath: imagePath(target),
          dirtyBytes: 1e15,
          granularity: 64 * KIB,
          at: "2026-01-01T00:00:00.000Z",
          runtimeId: null,
        })),
      );
    },
  ],
  [
    "every bitmap gone",
    (input) => {
      for (const { layers } of input.observation.disks) {
        if (layers.ok) for (const layer of layers.value) layer.bitmaps = [];
      }
    },
  ],
];

test.each(CASES)("the cost grows in step with checkpoints and with disks: %s", (_, change) => {
  const cost = (count: number, targets: string[]) => {
    const input = healthyLine(count, targets);
    change(input);
    return costOf(input);
  };
  const base = cost(100, TARGETS.slice(0, 2));
  expect(cost(400, TARGETS.slice(0, 2)) / base).toBeLessThan(4.5);
  expect(cost(100, TARGETS) / base).toBeLessThan(2.5);
});

test("a tree that forks everywhere costs no more than a line of the same size", () => {
  const line = costOf(healthyLine(400));
  const comb = healthyInput({
    parents: lineParents(400).map((parent, at) => (at === 0 ? null : at % 2 ? parent : at - 2)),
    targets: ["vda"],
  });
  expect(costOf(comb) / line).toBeLessThan(1.5);
});
