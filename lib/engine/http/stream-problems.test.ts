import { describe, expect, test } from "vitest";
import { ProblemError } from "#contract/problem.ts";
import { tellInStream } from "./stream-problems.ts";

async function* broken() {
  yield 1;
  throw new ProblemError("cannot_tell", "The host does not answer.", { hostMessage: "ECONNREFUSED" });
}

describe("tellInStream", () => {
  test("a stream that fails half-way says what came before and then its problem with code, words and trace", async () => {
    const seen: unknown[] = [];
    const run = async () => {
      for await (const item of tellInStream(broken(), "t-1") as AsyncIterable<unknown>) seen.push(item);
    };
    await expect(run()).rejects.toMatchObject({
      code: "cannot_tell",
      status: 424,
      data: { detail: "The host does not answer.", hostMessage: "ECONNREFUSED", traceId: "t-1" },
    });
    expect(seen).toEqual([1]);
  });

  test("an answer that does not stream stays what it is", () => {
    const answer = { items: [1] };
    expect(tellInStream(answer, "t-1")).toBe(answer);
  });
});
