import { describe, expect, test } from "vitest";
import { ApiProblem } from "./problem.ts";
import { readEvents } from "./stream.ts";

/** A body that arrives in pieces of `size` bytes, so that blocks and characters are torn apart. */
const bodyOf = (text: string, size: number): ReadableStream<Uint8Array> => {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
};
const collect = async (body: ReadableStream<Uint8Array>) => {
  const items: unknown[] = [];
  for await (const item of readEvents(body)) items.push(item);
  return items;
};
const TEXT =
  ': hello\n\nevent: message\ndata: {"n":1}\n\ndata: {"t":"ü"}\nid: 7\n\nevent: done\ndata: {}\n\ndata: {"n":9}\n\n';

describe("readEvents", () => {
  test("events come whole however the bytes are torn, and nothing comes after done", async () => {
    for (const size of [1, 3, 1000]) expect(await collect(bodyOf(TEXT, size))).toEqual([{ n: 1 }, { t: "ü" }]);
  });

  test("an error of the server ends the stream as its problem, with what came before", async () => {
    const problem = { code: "cannot_tell", title: "t", detail: "the host is away", retryable: true, traceId: "x" };
    const seen: unknown[] = [];
    const run = async () => {
      for await (const item of readEvents(
        bodyOf(`data: 1\n\nevent: error\ndata: ${JSON.stringify({ code: "X", data: problem })}\n\n`, 5),
      ))
        seen.push(item);
    };
    await expect(run()).rejects.toThrow(ApiProblem);
    await expect(run()).rejects.toMatchObject({ view: { code: "cannot_tell", detail: "the host is away" } });
    expect(seen).toEqual([1, 1]);
  });
});
