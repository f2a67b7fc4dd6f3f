import fc from "fast-check";
import { expect, test } from "vitest";
import { LowestFirst } from "./lowest-first.ts";

test("gives everything back, lowest first, whatever the order it came in", () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (values) => {
      const pool = new LowestFirst();
      for (const value of values) pool.give(value);
      expect(values.map(() => pool.take())).toEqual([...values].sort((a, b) => a - b));
      expect(pool.take()).toBeUndefined();
    }),
  );
});

test("stays in order while it is taken from and given to by turns", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(100), { nil: null })), (steps) => {
      const pool = new LowestFirst();
      const model: number[] = [];
      for (const step of steps) {
        if (step === null) expect(pool.take()).toBe(model.sort((a, b) => a - b).shift());
        else {
          pool.give(step);
          model.push(step);
        }
      }
    }),
  );
});
