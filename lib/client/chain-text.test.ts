import { describe, expect, test } from "vitest";
import { copyCheckpoint, copyFinding, copyVm } from "./chain-text.ts";
import { anyChain, anyFinding } from "./testing/chain.ts";

const URL = "https://console.example/x";
/** As the page shows it when nothing reaches it: all as last read, and stale. */
const cutOff = anyChain({ freshness: "stale" });

describe("copied text", () => {
  test("of a VM that is read now says how it is", () => {
    const text = copyVm(anyChain(), URL);
    expect(text).toContain("Observed:   2026-03-04T05:06:07Z (Fresh)");
    expect(text).toContain("Agreement:  Agrees");
    expect(text).toContain("  vda: incremental from cp0, about 64 KiB");
  });

  test("of the past claims neither agreement nor verdict, and names the last known ones", () => {
    const text = copyVm(cutOff, URL);
    expect(text).toContain("Agreement:  Cannot tell (was agrees)");
    expect(text).toContain("  vda: cannot tell (was incremental)");
    expect(text).not.toContain("Agreement:  Agrees");
  });

  test("of checkpoint and finding tells when it was read, and that it may not be so any more", () => {
    const line = /Observed: +2026-03-04T05:06:07Z \(Stale; whether it is still so cannot be told\)/;
    expect(copyCheckpoint(cutOff, "cp0", URL)).toMatch(line);
    expect(copyFinding(cutOff, anyFinding(), URL)).toMatch(line);
    expect(copyCheckpoint(anyChain(), "cp0", URL)).toContain("Observed:   2026-03-04T05:06:07Z (Fresh)");
  });

  test("of a finding tells when and where its evidence was read, also when that is older than the newest read", () => {
    const evidence = { record: "recorded", metadata: null, bitmap: "gone", source: "image" as const };
    const finding = anyFinding({ evidence: { ...evidence, observedAt: "2026-03-01T00:00:00+01:00" } });
    const text = copyFinding(anyChain(), finding, URL);
    expect(text).toContain("Observed:     2026-03-04T05:06:07Z (Fresh)");
    expect(text).toContain("As read:      2026-02-28T23:00:00Z from the image file");
  });

  test("of a bitmap that no checkpoint claims makes up no time for it", () => {
    const text = copyCheckpoint(anyChain(), "stray", URL);
    expect(text).toContain("Bitmap:     stray");
    expect(text).toContain("Created:    cannot tell");
  });

  test("of a bitmap that only looks healthy says that it is not trusted", () => {
    const subject = { checkpointId: "cp0", disk: "vda", bitmap: "cp0" };
    const remade = anyFinding({ kind: "bitmap.granularity-differs", reason: "from-record", severity: "loss", subject });
    for (const finding of [remade, anyFinding({ kind: "bitmap.rewound", severity: "loss", subject })]) {
      const text = copyCheckpoint(anyChain({ findings: [finding] }), "cp0", URL);
      expect(text).toContain("  vda: not trusted, looks recording, 64 KiB dirty");
    }
    expect(copyCheckpoint(anyChain(), "cp0", URL)).toContain("  vda: recording, 64 KiB dirty");
  });
});
