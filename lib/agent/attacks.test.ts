/** What somebody on the network may try on an agent that listens. Each of these fails without its defence. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Agent, startAgent } from "./agent.ts";
import { parseConfig } from "./config.ts";
import { SimController } from "./simulated/controller.ts";

const TOKEN = "planted-token-of-the-agent";
const folder = mkdtempSync(join(tmpdir(), "dl-attacks-"));
let agent: Agent;
let said = "";

beforeAll(async () => {
  const sim = new SimController(join(folder, "state.json"));
  const tokenSha256 = [createHash("sha256").update(TOKEN).digest("hex")];
  const config = parseConfig({ name: "a", listen: "127.0.0.1:0", libvirtUri: sim.uri, tokenSha256 });
  const keep = (line: string): void => {
    said += line;
  };
  const times = { requestMs: 1_000, headMs: 500, lookEveryMs: 100 };
  agent = await startAgent(config, pino({ level: "debug" }, { write: keep }), times);
});
afterAll(async () => {
  await agent?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Sends bytes as they are; resolves with all that came back when the other side closes. */
function sendRaw(bytes: string, then?: (socket: Socket) => void): Promise<string> {
  const { hostname, port } = new URL(agent.address);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(Number(port), hostname, () => {
      socket.write(bytes);
      then?.(socket);
    });
    socket.setTimeout(15_000, () => reject(new Error(`the connection was left open; so far: ${answer}`)));
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", () => undefined);
  });
}
const head = (target: string, more: string[] = [], method = "GET") =>
  [
    `${method} ${target} HTTP/1.1`,
    "host: a",
    `authorization: Bearer ${TOKEN}`,
    "connection: close",
    ...more,
    "",
    "",
  ].join("\r\n");
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);

describe("slow requests", () => {
  test("a head and a body that trickle in are cut off at their deadline, while others are answered", async () => {
    const trickle = (socket: Socket) => {
      const timer = setInterval(() => (socket.writable ? socket.write("x") : clearInterval(timer)), 50);
      socket.on("close", () => clearInterval(timer));
    };
    const slow = [
      sendRaw("GET /v1/host HTTP/1.1\r\nhost: a\r\nx-slow: ", trickle),
      sendRaw(head("/v1/observe", ["content-type: application/json", "content-length: 100000"], "POST"), trickle),
    ];
    expect(statusOf(await sendRaw(head("/v1/host")))).toBe(200);
    for (const answer of await Promise.all(slow)) expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
  });
});

describe("addresses", () => {
  test("no way of writing an address leads outside the API, to a file, or around the token", async () => {
    const targets = [
      "/v1/../../etc/passwd",
      "/v1/%2e%2e/%2e%2e/etc/passwd",
      "/v1/..%2f..%2fetc%2fpasswd",
      "//etc/passwd",
      "/v1//host",
      "/v1/host/",
      "/V1/host",
      "/v1/host%00",
      "http://127.0.0.1/v1/host",
      "*",
    ];
    for (const target of targets) {
      const answer = await sendRaw(head(target));
      expect([target, statusOf(answer) >= 400 && statusOf(answer) < 500]).toEqual([target, true]);
      expect(answer).not.toContain("root:");
      const bare = await sendRaw(`GET ${target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
      expect([target, statusOf(bare) >= 400]).toEqual([target, true]);
    }
  });
});

describe("headers", () => {
  test("nothing that is sent comes back in a header, and only an id of the right form is taken as one", async () => {
    const id = "0b8f0c52-5e8e-4f5c-9f5b-6f0a5d1c2b3a";
    expect(await sendRaw(head("/v1/host", [`x-trace-id: ${id}`]))).toContain(`x-trace-id: ${id}`);
    const injected = await sendRaw(head("/v1/%0d%0aset-cookie:%20evil=1", ["x-trace-id: evil", "x-other: evil"]));
    const [lines = ""] = injected.split("\r\n\r\n");
    expect(lines).not.toContain("evil");
  });

  test("two lengths, a length beside chunks, and a broken line end the connection with an error", async () => {
    const bodies = [
      head("/v1/observe", ["content-type: application/json", "content-length: 2", "content-length: 5"], "POST"),
      head(
        "/v1/observe",
        ["content-type: application/json", "content-length: 2", "transfer-encoding: chunked"],
        "POST",
      ),
      head("/v1/host", ["x: a\u0000b"]),
      head("/v1/host", [" folded: x"]),
    ];
    for (const bytes of bodies) expect(statusOf(await sendRaw(`${bytes}{}`))).toBe(400);
  });

  test("a head that is too large is refused", async () => {
    expect(statusOf(await sendRaw(head("/v1/host", [`x: ${"y".repeat(20_000)}`])))).toBe(413);
  });
});

test("no token stands in the log, whatever was asked", async () => {
  await sendRaw(head("/v1/nowhere", ["content-type: application/json"], "POST"));
  expect(said).toContain("request");
  expect(said).not.toContain(TOKEN);
});
