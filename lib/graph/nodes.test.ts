import { describe, expect, test } from "vitest";
import { healthyInput, healthyLine, hour } from "#chain/testing/healthy.ts";
import { graphNodes } from "./nodes.ts";
import { graphChain } from "./testing/chain.ts";

function matches(input: Parameters<typeof graphChain>[0]) {
  return Object.fromEntries(graphNodes(graphChain(input)).map(({ id, match }) => [id, match]));
}

describe("graphNodes", () => {
  test("marks every checkpoint of a healthy VM as known to both", () => {
    expect(matches(healthyLine(3))).toEqual({ cp0: "both", cp1: "both", cp2: "both" });
  });

  test("tells record only, host only and differing apart", () => {
    const input = healthyLine(3);
    if (!input.observation.checkpoints.ok) throw new Error("the list of a healthy VM is read");
    const [first, second] = input.observation.checkpoints.value;
    if (!first || !second) throw new Error("there are three");
    const foreign = { ...first, id: "virtnbdbackup.0", parentId: "cp2", createdAt: hour(9), disks: [] };
    input.observation.checkpoints.value = [first, { ...second, disks: [], hasDisksElement: false }, foreign];
    expect(matches(input)).toEqual({
      cp0: "both",
      cp1: "differs",
      cp2: "record-only",
      "virtnbdbackup.0": "host-only",
    });
  });

  test("a list that was not read leaves every node unknown, never record only", () => {
    const input = healthyLine(2);
    const error = { code: "timeout", message: "", hostMessage: null, retryable: true } as const;
    input.observation.checkpoints = { ok: false, error };
    expect(matches(input)).toEqual({ cp0: "unknown", cp1: "unknown" });
    expect(graphNodes(graphChain(input)).map(({ listed }) => listed)).toEqual([null, null]);
  });

  test("a VM that the host does not know leaves every node unknown", () => {
    const input = healthyLine(2, ["vda"], "absent");
    input.observation.checkpoints = { ok: true, value: [] };
    expect(matches(input)).toEqual({ cp0: "unknown", cp1: "unknown" });
  });

  test("bitmaps that were not read leave the nodes that they cover unknown", () => {
    const input = healthyInput({
      parents: [null, 0],
      targets: ["vda", "vdb"],
      covers: (cp, disk) => cp === 0 || disk === "vda",
    });
    const error = { code: "image-locked", message: "", hostMessage: null, retryable: true } as const;
    for (const disk of input.observation.disks) if (disk.target === "vdb") disk.layers = { ok: false, error };
    expect(matches(input)).toEqual({ cp0: "unknown", cp1: "both" });
  });

  test.each(["disk.replaced", "bitmap.rewound"] as const)(
    "%s of a disk makes every checkpoint on it differ",
    (kind) => {
      const chain = graphChain(
        healthyInput({ parents: [null, 0], targets: ["vda", "vdb"], covers: (cp, disk) => cp === 0 || disk === "vdb" }),
      );
      const subject = { checkpointId: null, disk: "vda", bitmap: null };
      chain.findings = [{ id: kind, kind, severity: "loss", subject, reason: null, acknowledged: false }];
      expect(graphNodes(chain).map(({ id, match }) => [id, match])).toEqual([
        ["cp0", "differs"],
        ["cp1", "both"],
      ]);
    },
  );

  test("comes parents first with the current line marked", () => {
    const input = healthyInput({ parents: [null, 0, 1, 0, 3], targets: ["vda"] });
    const nodes = graphNodes(graphChain(input));
    expect(nodes.map(({ id }) => id)).toEqual(["cp0", "cp1", "cp2", "cp3", "cp4"]);
    expect(nodes.filter(({ current }) => current).map(({ id }) => id)).toEqual(["cp0", "cp3", "cp4"]);
    expect(nodes.find(({ newest }) => newest)?.id).toBe("cp4");
  });
});
