import { ProblemError } from "#contract/problem.ts";

/** For a call that the contract has and this version does not: it says so instead of doing half of it. */
export function notYet(): never {
  throw new ProblemError("not_implemented", "This is not part of this version yet.");
}
