import { expect, it } from "vitest";
import { openTurns } from "./turns.ts";

/** Work that ends when it is told to, and a note of what began. */
function open() {
  const turns = openTurns();
  const began: string[] = [];
  const ends = new Map<string, { done: () => void; fail: () => void }>();
  const ask = (vmId: string, question: string) =>
    turns.take(vmId, question, () => {
      began.push(`${vmId} ${question}`);
      return new Promise<string>((resolve, reject) => {
        ends.set(question, { done: () => resolve(question), fail: () => reject(new Error(question)) });
      });
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { ask, began, ends, settle };
}

it("lets one read of a VM run at a time, and another VM's beside it", async () => {
  const { ask, began, ends, settle } = open();
  const [a, b, c] = [ask("vm1", "a"), ask("vm1", "b"), ask("vm2", "c")];
  await settle();
  expect(began.sort()).toEqual(["vm1 a", "vm2 c"]);
  ends.get("a")?.done();
  expect(await a).toBe("a");
  await settle();
  expect(began).toContain("vm1 b");
  ends.get("b")?.done();
  ends.get("c")?.done();
  expect(await Promise.all([b, c])).toEqual(["b", "c"]);
});

it("gives one answer to all who ask the same, and asks anew afterwards", async () => {
  const { ask, began, ends, settle } = open();
  const both = [ask("vm1", "a"), ask("vm1", "a")];
  await settle();
  ends.get("a")?.done();
  expect(await Promise.all(both)).toEqual(["a", "a"]);
  expect(began).toEqual(["vm1 a"]);
  const again = ask("vm1", "a");
  await settle();
  ends.get("a")?.done();
  await again;
  expect(began).toEqual(["vm1 a", "vm1 a"]);
});

it("goes on after a read that failed", async () => {
  const { ask, ends, settle } = open();
  const [failed, next] = [ask("vm1", "a"), ask("vm1", "b")];
  await settle();
  ends.get("a")?.fail();
  await expect(failed).rejects.toThrow("a");
  await settle();
  ends.get("b")?.done();
  expect(await next).toBe("b");
});
