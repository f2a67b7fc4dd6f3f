import { expect, test } from "vitest";
import { readBody } from "./handle.ts";

const post = (body: ReadableStream) =>
  new Request("http://x/", { method: "POST", body, duplex: "half" } as RequestInit & { duplex: "half" });

test("a body that trickles in is given up at the deadline", async () => {
  let timer: NodeJS.Timeout | undefined;
  const slow = new ReadableStream({
    start(controller) {
      timer = setInterval(() => controller.enqueue(new TextEncoder().encode("x")), 20);
    },
  });
  await expect(readBody(post(slow), 200)).rejects.toMatchObject({ code: "malformed" });
  clearInterval(timer);
});

test("a body without an end is given up at the limit, whatever its header says", async () => {
  const chunk = new Uint8Array(1024 * 1024).fill(120);
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 1;
      controller.enqueue(chunk);
    },
  });
  await expect(readBody(post(endless))).rejects.toMatchObject({ code: "invalid_input", errors: [{ field: "body" }] });
  expect(sent).toBeLessThan(20);
});
