import { describe, expect, test } from "vitest";
import { healthyLine, hour, imagePath, KIB } from "../testing/healthy.ts";
import { nextBackup } from "../verdict.ts";
import { carryProofs, findDrift } from "./index.ts";

function rewound() {
  const input = healthyLine(2);
  input.samples = [
    {
      target: "vda",
      bitmap: "cp1",
      layerPath: imagePath("vda"),
      dirtyBytes: 900 * KIB * 64,
      granularity: 64 * KIB,
      at: hour(1),
      runtimeId: "run-0",
    },
  ];
  return { input, findings: findDrift(input) };
}

describe("carryProofs", () => {
  test("a rewind that was seen keeps the next backup full after the VM stopped", () => {
    const { input, findings: previous } = rewound();
    expect(previous.map(({ id }) => id)).toEqual(["bitmap.rewound|cp1|vda|cp1"]);
    const { record } = input;
    const { observation } = healthyLine(2, ["vda"], "shut-off");
    const current = findDrift({ ...input, observation });
    expect(current).toEqual([]);
    const findings = carryProofs({ previous, current, observation, record });
    expect(findings).toEqual(previous);
    expect(nextBackup({ record, observation, findings })).toMatchObject([{ verdict: "full", reason: "rewound" }]);
  });

  test("a count that has grown past the old one, a stop and a detached disk do not end it", () => {
    const { input, findings: previous } = rewound();
    const { record, observation } = input;
    expect(carryProofs({ previous, current: [], observation, record })).toEqual(previous);
    observation.disks = [];
    const current = findDrift(input);
    expect(carryProofs({ previous, current, observation, record }).map(({ kind }) => kind)).toEqual([
      "bitmap.rewound",
      "disk.gone",
    ]);
  });

  test("a checkpoint healed off the disk, a bitmap gone or broken, and another image end it", () => {
    const { input, findings: previous } = rewound();
    const { record, observation } = input;
    const healed = { checkpoints: record.checkpoints.filter(({ id }) => id !== "cp1") };
    expect(carryProofs({ previous, current: [], observation, record: healed })).toEqual([]);
    const salvaged = { checkpoints: record.checkpoints.map((item) => ({ ...item, disks: [] })) };
    expect(carryProofs({ previous, current: [], observation, record: salvaged })).toEqual([]);

    const replaced = structuredClone(input);
    for (const { identity } of replaced.observation.disks) if (identity) identity.inode = "9";
    const current = findDrift(replaced);
    expect(carryProofs({ ...replaced, previous, current })).toEqual(current);

    for (const { layers } of observation.disks) {
      if (layers.ok) for (const layer of layers.value) layer.bitmaps.pop();
    }
    expect(carryProofs({ previous, current: [], observation, record })).toEqual([]);
  });

  test("a disk that could not be read keeps it, and nothing is listed twice", () => {
    const { input, findings: previous } = rewound();
    const { record, observation } = input;
    expect(carryProofs({ previous, current: previous, observation, record })).toEqual(previous);
    const error = { code: "image-locked", message: "", hostMessage: null, retryable: true } as const;
    for (const disk of observation.disks) disk.layers = { ok: false, error };
    expect(carryProofs({ previous, current: [], observation, record })).toEqual(previous);
  });
});
