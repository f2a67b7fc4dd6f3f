import { expect, test } from "vitest";
import { anyChain } from "./testing/chain.ts";
import { groundOf, isValidationOld } from "./validation.ts";

const chain = anyChain();
const answer = { ground: groundOf(chain) };

test("an answer stands while newer reads find record and host as they were, whatever they are called", () => {
  const observedAt = "2026-03-04T06:00:00Z";
  for (const agreement of ["agrees", "differs"] as const) {
    const later = anyChain({ agreement, host: { ...chain.host, observedAt, triedAt: observedAt } });
    expect(isValidationOld(answer, later, false)).toBe(false);
  }
});

test("an answer is the past once the host is offline, or a read or the record is another one", () => {
  expect(isValidationOld(answer, chain, true)).toBe(true);
  expect(isValidationOld(answer, anyChain({ host: { ...chain.host, digest: "d2" } }), false)).toBe(true);
  expect(isValidationOld(answer, anyChain({ record: { ...chain.record, revision: 4 } }), false)).toBe(true);
});
