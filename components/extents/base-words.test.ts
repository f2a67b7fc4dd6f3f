import { expect, test } from "vitest";
import { anyChain } from "#client/testing/chain.ts";
import { baseWords } from "./base-words.ts";

const { nextBackup } = anyChain();
const of = { disk: "vda", bitmap: "cp0", dirty: "64 KiB", past: false };

test("only the base of the verdict is said to make the next incremental", () => {
  expect(baseWords(nextBackup, of)).toBe("next incremental about 64 KiB");
  expect(baseWords(nextBackup, { ...of, bitmap: "stray" })).toBe("the next backup does not start from it");
  const full = nextBackup.map((verdict) => ({ ...verdict, verdict: "full" as const, from: null }));
  expect(baseWords(full, of)).toBe("the next backup does not start from it");
});

test("where the verdict is not known, neither is what the bitmap is good for", () => {
  const cannotTell = "whether the next backup starts from it cannot be told";
  expect(baseWords(nextBackup, { ...of, past: true })).toBe(cannotTell);
  expect(baseWords(nextBackup, { ...of, disk: "vdb" })).toBe(cannotTell);
  const unknown = nextBackup.map((verdict) => ({ ...verdict, verdict: "unknown" as const }));
  expect(baseWords(unknown, of)).toBe(cannotTell);
});
