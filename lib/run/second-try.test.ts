import { expect, test } from "vitest";
import { findSecondTry } from "./second-try.ts";

const failure = { fullName: "suite > one", status: "failed", failureMessages: ["Error: too late\n    at x.ts:1"] };
const passed = { fullName: "suite > two", status: "passed", failureMessages: [] };
const file = (name: string, status: string, assertionResults: object[], message = "") => ({
  name: `/project/lib/${name}.real.test.ts`,
  status,
  message,
  assertionResults,
});
const find = (...testResults: object[]) => findSecondTry(JSON.stringify({ testResults }), "/project");

test("a file in which a test failed is run once more as a whole, and every failure is named", () => {
  expect(find(file("a", "failed", [failure, passed]), file("b", "passed", [passed]))).toEqual({
    files: ["lib/a.real.test.ts"],
    failures: ["lib/a.real.test.ts > suite > one: Error: too late"],
  });
});

test("a file whose preparation failed counts as failed although no test of it did", () => {
  expect(find(file("a", "failed", [{ ...passed, status: "skipped" }], "no lab"))).toEqual({
    files: ["lib/a.real.test.ts"],
    failures: ["lib/a.real.test.ts > no lab"],
  });
});

test("what failed in many files is broken, not unsteady", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => file(name, "failed", [failure]));
  expect(find(a ?? {}, b ?? {})?.files).toHaveLength(2);
  expect(find(a ?? {}, b ?? {}, c ?? {})).toBeNull();
});

test.each(["", "{}", "<html>", '{"testResults":[]}', '{"testResults":[{"name":1}]}'])(
  "a run that tells of no failed file stays red: %s",
  (text) => {
    expect(findSecondTry(text, "/project")).toBeNull();
  },
);
