import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { notePeer } from "./peer-address.ts";

const LIES = {
  "x-driftline-peer": "203.0.113.1",
  "x-forwarded-for": "203.0.113.2, 198.51.100.9",
  "x-forwarded-host": "evil.example",
  "x-forwarded-proto": "https",
};

test("without a proxy nobody can say by a header where they come from, or which site they meant", () => {
  const headers: IncomingHttpHeaders = { ...LIES, host: "here" };
  notePeer(headers, "192.0.2.5", false);
  expect(headers).toEqual({ host: "here", "x-driftline-peer": "192.0.2.5" });
});

test("behind a proxy the address is the one that the proxy added, not what the sender wrote before it", () => {
  const headers: IncomingHttpHeaders = { ...LIES };
  notePeer(headers, "127.0.0.1", true);
  expect(headers["x-driftline-peer"]).toBe("198.51.100.9");
  const none: IncomingHttpHeaders = { "x-driftline-peer": "203.0.113.1" };
  notePeer(none, "127.0.0.1", true);
  expect(none["x-driftline-peer"]).toBe("127.0.0.1");
});

test("every server of the process gets the header before its handler runs", async () => {
  const server = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: LIES });
  const headers = (await answer.json()) as Record<string, string>;
  server.close();
  expect(headers["x-driftline-peer"]).toBe("127.0.0.1");
  expect(headers["x-forwarded-for"]).toBeUndefined();
});
