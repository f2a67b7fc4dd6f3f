import { describe, expect, test } from "vitest";
import { anyChain } from "#client/testing/chain.ts";
import { whyCannotTell } from "./cannot-tell.ts";

describe("whyCannotTell", () => {
  test("no finding is good news only of a VM that is read completely and compared now", () => {
    expect(whyCannotTell(anyChain(), false)).toBeNull();
    expect(whyCannotTell(anyChain({ agreement: "unknown" }), false)).toContain("Not everything could be read");
    expect(whyCannotTell(anyChain(), true)).toContain("None was known at the last read");
  });

  test("while a job is not over, no finding is no good news", () => {
    expect(whyCannotTell(anyChain({ agreement: "checking" }), false)).toContain("not compared yet");
  });

  test.each(["agrees", "differs", "checking"] as const)(
    "a disk that was not read is told of when it %s",
    (agreement) => {
      const chain = anyChain({ agreement });
      for (const disk of chain.host.disks) disk.bitmaps = null;
      expect(whyCannotTell(chain, false)).toContain("Not everything could be read");
    },
  );
});
