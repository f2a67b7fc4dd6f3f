import { describe, expect, test } from "vitest";
import { healthyBitmap, healthyInput, healthyLine } from "#chain/testing/healthy.ts";
import { bitmapMatrix } from "./matrix.ts";
import { graphChain } from "./testing/chain.ts";

const states = (input: Parameters<typeof graphChain>[0]) =>
  Object.fromEntries(
    bitmapMatrix(graphChain(input)).rows.map((row) => [row.target, row.cells.map(({ state }) => state)]),
  );

describe("bitmapMatrix", () => {
  test("shows recorded, missing, uncovered and unclaimed bitmaps in their own states", () => {
    const input = healthyInput({
      parents: [null, 0],
      targets: ["vda", "vdb"],
      covers: (cp, disk) => cp === 0 || disk === "vda",
    });
    const [vda, vdb] = input.observation.disks.map((disk) => (disk.layers.ok ? disk.layers.value[0] : undefined));
    if (!vda || !vdb) throw new Error("both disks are read");
    vda.bitmaps = vda.bitmaps.filter(({ name }) => name !== "cp1");
    vdb.bitmaps = [...vdb.bitmaps, healthyBitmap("stray", 0)];
    expect(states(input)).toEqual({
      vda: ["recording", "missing", "not-covered"],
      vdb: ["recording", "not-covered", "unknown"],
    });
  });

  test("a disk that was not read is cannot-tell where it is covered, never missing", () => {
    const input = healthyLine(2);
    const error = { code: "image-locked", message: "", hostMessage: null, retryable: true } as const;
    for (const disk of input.observation.disks) disk.layers = { ok: false, error };
    expect(states(input)).toEqual({ vda: ["cannot-tell", "cannot-tell"] });
  });

  test("no bitmap of a rewound or replaced disk is shown as recording, and other disks keep theirs", () => {
    const input = healthyInput({ parents: [null, 0], targets: ["vda", "vdb"], covers: () => true });
    const finding = (kind: "bitmap.rewound" | "disk.replaced", acknowledged: boolean) => {
      const chain = graphChain(input);
      chain.findings = [
        {
          id: kind,
          kind,
          severity: "loss",
          subject: { checkpointId: null, disk: "vda", bitmap: null },
          reason: null,
          acknowledged,
        },
      ];
      return bitmapMatrix(chain).rows.map((row) => row.cells.map(({ state }) => state));
    };
    const quarantined = [
      ["not-trusted", "not-trusted"],
      ["recording", "recording"],
    ];
    expect(finding("bitmap.rewound", false)).toEqual(quarantined);
    expect(finding("disk.replaced", false)).toEqual(quarantined);
    expect(finding("disk.replaced", true)[0]).toEqual(["recording", "recording"]);
  });

  test("a bitmap that was made anew is not shown as recording, and its neighbours keep their state", () => {
    const chain = graphChain(healthyInput({ parents: [null, 0], targets: ["vda", "vdb"], covers: () => true }));
    const cellsWith = (reason: string) => {
      const subject = { checkpointId: "cp1", disk: "vda", bitmap: "cp1" };
      const kind = "bitmap.granularity-differs" as const;
      chain.findings = [{ id: kind, kind, severity: "loss", subject, reason, acknowledged: false }];
      return bitmapMatrix(chain).rows.map((row) => row.cells.map(({ state }) => state));
    };
    expect(cellsWith("from-record")).toEqual([
      ["recording", "not-trusted"],
      ["recording", "recording"],
    ]);
    expect(cellsWith("between-layers")[0]).toEqual(["recording", "recording"]);
  });

  test("a host that was never read leaves every covered cell at cannot-tell", () => {
    const chain = graphChain(healthyLine(2));
    chain.host = { status: "never", checkpoints: null, disks: [] };
    expect(bitmapMatrix(chain).rows.map((row) => row.cells.map(({ state }) => state))).toEqual([
      ["cannot-tell", "cannot-tell"],
    ]);
  });
});
