import { expect, test } from "vitest";
import type { Chain } from "#contract/engine-vms.ts";
import { anyChain } from "./testing/chain.ts";
import { nextBackupOf } from "./vm-axes.ts";

const [verdict] = anyChain().nextBackup;
const withVerdicts = (...words: Partial<Chain["nextBackup"][number]>[]) =>
  anyChain({ nextBackup: words.map((word) => ({ ...(verdict ?? expect.fail()), ...word })) });

test("the word for the VM follows from the verdicts that are shown beside it, and no disk is passed over", () => {
  expect(nextBackupOf(withVerdicts({}), false)).toBe("incremental");
  expect(nextBackupOf(withVerdicts({}, { verdict: "full" }), false)).toBe("mixed");
  expect(nextBackupOf(withVerdicts(), false)).toBe("unknown");
});

test("what was known last is named only where the page shows the past, whoever cut it off", () => {
  const byTheEngine = withVerdicts({ verdict: "unknown", lastKnown: "full" });
  expect(nextBackupOf(byTheEngine, false)).toBe("unknown");
  expect(nextBackupOf(byTheEngine, true)).toBe("full");
  expect(nextBackupOf(withVerdicts({}), true)).toBe("incremental");
});
