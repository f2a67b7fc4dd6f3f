import { expect, test } from "vitest";
import { withLinked } from "./linked.ts";

const backup = (id: string, vmId = "v") => ({ id, vmId });
const listed = [backup("new"), backup("old")];

test("a backup that a link names is shown once, however far back it is, and never one of another VM", () => {
  const ids = (linked?: ReturnType<typeof backup>) => withLinked("v", listed, linked).map(({ id }) => id);
  expect(ids()).toEqual(["new", "old"]);
  expect(ids(backup("older"))).toEqual(["new", "old", "older"]);
  expect(ids(backup("old"))).toEqual(["new", "old"]);
  expect(ids(backup("strange", "another"))).toEqual(["new", "old"]);
});
