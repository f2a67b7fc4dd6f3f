import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { ProblemError } from "#contract/problem.ts";
import { cursorNumber, cursorText, decodeCursor, encodeCursor } from "./cursor.ts";

const shape = z.tuple([cursorText, cursorNumber]);

test("a cursor comes back as it was given", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 100 }).filter((s) => !s.includes("\0")),
      fc.integer(),
      (text, n) => {
        expect(decodeCursor(encodeCursor("vms:name", [text, n]), "vms:name", shape)).toEqual([text, n]);
      },
    ),
  );
});

test("a made-up, cut or foreign cursor is refused as the field cursor", () => {
  const good = encodeCursor("vms:name", ["a", 1]);
  const bad = [
    encodeCursor("vms:host", ["a", 1]),
    encodeCursor("vms:name", ["a"]),
    encodeCursor("vms:name", [1, "a"]),
    good.slice(3),
    "",
    "%%%",
  ];
  for (const cursor of bad) {
    const refused = () => decodeCursor(cursor, "vms:name", shape);
    expect(refused).toThrow(ProblemError);
    try {
      refused();
    } catch (error) {
      expect((error as ProblemError).errors?.[0]?.field).toBe("cursor");
    }
  }
});

test("no text at all makes a cursor that is not either understood or refused", () => {
  fc.assert(
    fc.property(fc.string(), (cursor) => {
      try {
        decodeCursor(cursor, "vms:name", shape);
      } catch (error) {
        expect(error).toBeInstanceOf(ProblemError);
      }
    }),
  );
});
