/** What a false agent may try on the engine. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withTrace } from "../trace.ts";
import { createAgentClient } from "./client.ts";

const TOKEN = "planted-token-of-the-engine";
const TRACE = "0b8f0c52-5e8e-4f5c-9f5b-6f0a5d1c2b3a";
const seen: { where: string; authorization: string | undefined; trace: unknown }[] = [];
const asked: { url: string | undefined; headers: string[] }[] = [];
const servers: Server[] = [];
let url: string;

async function listen(where: string, location: string | null): Promise<string> {
  const server = createServer((request, response) => {
    asked.push({ url: request.url, headers: request.rawHeaders });
    seen.push({ where, authorization: request.headers.authorization, trace: request.headers["x-trace-id"] });
    if (location !== null) response.writeHead(302, { location: `${location}${request.url}` }).end();
    else response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
beforeAll(async () => {
  url = await listen("agent", await listen("elsewhere", null));
});
afterAll(() => {
  for (const server of servers) server.close();
});

test("a redirect to a foreign origin is not followed: neither token nor request arrives there", async () => {
  const client = createAgentClient({ url, token: TOKEN });
  await expect(client.api.host({})).rejects.toThrow();
  await client.close();
  expect(seen.map((one) => one.where)).toEqual(["agent"]);
});

test("the request's id goes along to the agent", async () => {
  const client = createAgentClient({ url, token: TOKEN });
  await expect(withTrace(TRACE, () => client.api.host({}))).rejects.toThrow();
  await client.close();
  expect(seen.at(-1)).toEqual({ where: "agent", authorization: `Bearer ${TOKEN}`, trace: TRACE });
});

test("a name from outside stays a part of the address, whatever stands in it, and becomes no header", async () => {
  const plain = await listen("plain", null);
  const client = createAgentClient({ url: plain, token: TOKEN });
  const vmId = "00000000-0000-4000-8000-00000000000a";
  const ask = (name: string) => client.api.extents({ vmId, target: "vda", name, buckets: 8 }).catch(() => null);
  await ask("cp1");
  const { url: usual = "", headers: names } = asked.at(-1) ?? { headers: [] };
  for (const name of [
    "../../../token/revoke",
    "a/b",
    "a?b=c#d",
    "a\r\nx-evil: 1",
    "%2e%2e%2f",
    "a\\b",
    " ",
    "\u{1f600}",
    ";",
  ]) {
    const before = asked.length;
    await ask(name);
    expect([name, asked.slice(before).map((one) => one.url)]).toEqual([
      name,
      [usual.replace("/cp1/", `/${encodeURIComponent(name)}/`)],
    ]);
    expect(asked.at(-1)?.headers.filter((_, i) => i % 2 === 0)).toEqual(names.filter((_, i) => i % 2 === 0));
  }
  await client.close();
});
