import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TokenStore } from "./tokens.ts";

const hash = (n: number): string => n.toString(16).padStart(64, "0");
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "dl-tokens-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function paired(): TokenStore {
  const store = new TokenStore(mkdtempSync(path.join(dir, "store-")));
  store.add("engine", hash(0));
  return store;
}

test("a rotation takes both tokens until the new one is confirmed", () => {
  const store = paired();
  store.rotate(hash(0), hash(1));
  expect(store.hashes()).toEqual([hash(0), hash(1)]);
  store.confirm(hash(1));
  expect(store.hashes()).toEqual([hash(1)]);
});

test("a confirmation that arrives when the next rotation has begun does not take the new token away", () => {
  const store = paired();
  store.rotate(hash(0), hash(1));
  store.rotate(hash(1), hash(2));
  store.confirm(hash(1));
  expect(store.hashes()).toEqual([hash(1), hash(2)]);
});

test("whatever confirmations come late or twice, the token that was introduced last is taken until it is kept", () => {
  // Each step: a rotation by the token that is kept, then confirmations by any token the agent still takes.
  const steps = fc.array(fc.record({ early: fc.array(fc.nat()), late: fc.array(fc.nat()), isKept: fc.boolean() }), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(steps, (run) => {
      const store = paired();
      let kept = 0;
      let newest = 0;
      const confirmBy = (picks: number[], upTo: number) => {
        for (const pick of picks) {
          const sent = hash(pick % (upTo + 1));
          if (store.hashes().includes(sent)) store.confirm(sent);
        }
      };
      for (const { early, late, isKept } of run) {
        newest += 1;
        store.rotate(hash(kept), hash(newest));
        confirmBy(early, kept);
        expect(store.hashes()).toContain(hash(newest));
        expect(store.hashes()).toContain(hash(kept));
        if (!isKept) continue;
        kept = newest;
        confirmBy(late, kept);
        expect(store.hashes()).toContain(hash(kept));
      }
      store.confirm(hash(kept));
      if (kept === newest) expect(store.hashes()).toEqual([hash(kept)]);
    }),
  );
});
