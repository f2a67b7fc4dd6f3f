import { expect, test } from "vitest";
import { Pause } from "./pause.ts";

const FOR_EVER_MS = 2 ** 30;

test("a pause ends when the next turn is asked for, before it or during it", async () => {
  const pause = new Pause();
  const { signal } = new AbortController();
  pause.begin();
  pause.end();
  await pause.wait(FOR_EVER_MS, signal);
  pause.begin();
  const waiting = pause.wait(FOR_EVER_MS, signal);
  pause.end();
  await waiting;
});

test("a turn that has begun does what was asked for before it, and the pause after it is a whole one", async () => {
  const pause = new Pause();
  const ending = new AbortController();
  pause.end();
  pause.begin();
  const waiting = pause.wait(FOR_EVER_MS, ending.signal);
  ending.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
});
