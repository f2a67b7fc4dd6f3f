import { expect, test } from "vitest";
import { asPast, withReads } from "./fleet-rows.ts";
import { anyRow } from "./testing/fleet.ts";
import { isPast } from "./words.ts";

test("a row whose newest read failed says nothing about now, and the others stay as they are", () => {
  const rows = [anyRow({ id: "a" }), anyRow({ id: "b" }), anyRow({ id: "c" })];
  const read = anyRow({ id: "b", name: "renamed" });
  const [a, b, c] = withReads(
    rows,
    new Map([
      ["a", null],
      ["b", read],
    ]),
  );
  expect(a && isPast(a.axes.freshness)).toBe(true);
  expect(a?.lastKnown.agreement).toBe("agrees");
  expect(b).toBe(read);
  expect(c).toBe(rows[2]);
});

test("a row of the past keeps all that it said, but how old that is", () => {
  const row = anyRow();
  expect(asPast(row)).toEqual({ ...row, axes: { ...row.axes, freshness: "stale" } });
});
