/** Hosts come and go by the API: paired with a one-time code, rotated without a gap, retired with their history kept. */
import { createHash, randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import { Agent, fetch as undiciFetch } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host } from "#contract/engine.ts";
import { markConfirmed } from "#db/index.ts";
import { readHost } from "./observe/read.ts";
import type { Engine } from "./state.ts";
import { openPairable, type Pairable } from "./testing/pairable.ts";
import { call, openRig, type Rig, type SimHost, snapshot, until } from "./testing/rig.ts";

let rig: Rig;
let url: string;
let engine: Engine;
let configured: SimHost;
let agent: Pairable;
let hostId: string;
const vmId = randomUUID();

beforeAll(async () => {
  rig = await openRig();
  url = await rig.newDatabase();
  configured = await rig.newHost("configured");
  engine = await rig.newEngine(url, [configured]);
  agent = await openPairable(rig.dir, "alpha");
  agent.sim.define(vmId, "web", [{ target: "vda", sizeMiB: 64 }]);
});
afterAll(async () => {
  await agent?.stop();
  await rig?.close();
});

async function query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}
const audited = (action: string) =>
  query("select actor, outcome, subject, trace_id from audit_log where action = $1 order by id desc limit 1", [action]);
const pair = async (input: Partial<{ name: string; url: string; code: string }> = {}, to = engine) =>
  call(to, "POST", "/hosts", {
    body: { name: "alpha", url: agent.url, ...input, code: input.code ?? (await agent.code()) },
  });
const host = (answer: { body: unknown }) => answer.body as Host;
const hashesAtAgent = (): string[] =>
  (
    JSON.parse(readFileSync(path.join(agent.stateDir, "tokens.json"), "utf8")) as {
      sha256: string;
      next: string | null;
    }[]
  ).flatMap(({ sha256, next }) => (next === null ? [sha256] : [sha256, next]));

describe("pairing", () => {
  test("a wrong code, a slip of the hand and a second host of the name are refused, and nothing is kept", async () => {
    const other = await openPairable(rig.dir, "other");
    try {
      const before = await snapshot(url, ["audit_log"]);
      const code = await agent.code();
      const slip = `${code.slice(0, -1)}${code.endsWith("8") ? "G" : "8"}`;
      expect(await pair({ code: slip })).toMatchObject({ status: 422, body: { errors: [{ field: "code" }] } });
      const foreign = await pair({ code: await other.code() });
      expect(foreign).toMatchObject({ status: 409, body: { detail: expect.stringContaining("certificate") } });
      expect(await audited("hosts.pair")).toMatchObject([{ actor: "key:admin", outcome: "failed" }]);
      const old = await agent.code();
      await agent.code();
      expect(await pair({ code: old })).toMatchObject({
        status: 409,
        body: { detail: expect.stringContaining("printed last") },
      });
      expect((await pair({ name: "configured" })).status).toBe(409);
      const off = await openPairable(rig.dir, "off");
      await off.stop();
      expect((await pair({ url: off.url })).status).toBe(503);
      expect(await snapshot(url, ["audit_log"])).toBe(before);
    } finally {
      await other.stop();
    }
  });

  test("plain http, a path, a password in the address and control characters in the name are refused by their field", async () => {
    for (const wrong of [
      "http://127.0.0.1:1",
      "http://192.0.2.1:1",
      "https://h/x",
      "https://u:p@h",
      "unix:/x",
      "ftp://h",
      "",
    ]) {
      expect(await pair({ url: wrong })).toMatchObject({ status: 422, body: { errors: [{ field: "url" }] } });
    }
    for (const name of ["", " a", "a\nb", "a\u202eb", "x".repeat(201)]) {
      expect(await pair({ name })).toMatchObject({ status: 422, body: { errors: [{ field: "name" }] } });
    }
  });

  test("with the code of the agent the host is watched, and the code is used up", async () => {
    const code = await agent.code();
    const answer = await pair({ code });
    expect(answer).toMatchObject({ status: 201, body: { name: "alpha", origin: "paired", state: "online" } });
    hostId = host(answer).id;
    expect(await audited("hosts.pair")).toEqual([
      { actor: "key:admin", outcome: "done", subject: hostId, trace_id: answer.headers.get("x-trace-id") },
    ]);
    expect(await pair({ code, name: "again" })).toMatchObject({ status: 409 });
    const found = engine.hosts.get(hostId);
    expect(found && (await readHost(engine, found))).toMatchObject({ observed: 1, failed: 0 });
    expect((await call(engine, "GET", `/vms/${vmId}`)).body).toMatchObject({ hostName: "alpha" });
  });

  test("another engine on the same database watches it too, and so does the next start", async () => {
    const second = await rig.newEngine(url, [configured]);
    expect(second.hosts.has(hostId)).toBe(true);
    const late = await openPairable(rig.dir, "late");
    try {
      const answer = await call(engine, "POST", "/hosts", {
        body: { name: "late", url: late.url, code: await late.code() },
      });
      const { id } = host(answer);
      await until(async () => second.hosts.has(id), Boolean);
      expect((await call(engine, "DELETE", `/hosts/${id}`)).status).toBe(200);
      await until(
        async () => second.hosts.has(id),
        (has) => !has,
      );
    } finally {
      await late.stop();
      await second.stop();
    }
  });

  test("no token and no code stands in the database, in an answer, in the agent's files or in its log", async () => {
    const found = engine.hosts.get(hostId);
    const sealed = found?.paired?.sealedToken ?? "";
    const [row] = await query("select certificate from host_credentials where host_id = $1", [hostId]);
    const token = engine.sealer?.open(sealed, `host ${hostId}\n${row?.certificate}`) ?? "";
    expect(token).toHaveLength(43);
    const files = readFileSync(path.join(agent.stateDir, "tokens.json"), "utf8");
    expect(files).toContain(createHash("sha256").update(token).digest("hex"));
    const answers = JSON.stringify((await call(engine, "GET", "/hosts")).body);
    for (const text of [await snapshot(url), answers, files, agent.log()]) expect(text).not.toContain(token);
    expect(answers).not.toContain("BEGIN CERTIFICATE");
    for (const name of ["identity.key", "identity.crt", "tokens.json"]) {
      expect([name, statSync(path.join(agent.stateDir, name)).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  test("a server with another secret key says so of the host, and goes on with the others", async () => {
    const other = await rig.newEngine(url, [configured], { secretKey: Buffer.alloc(32, 9) });
    const answer = await call(other, "POST", `/hosts/${hostId}/observe`);
    expect(answer).toMatchObject({ status: 503, body: { detail: expect.stringContaining("cannot be opened") } });
    expect(answer.body).toMatchObject({ hostMessage: expect.stringContaining("DRIFTLINE_SECRET_KEY") });
    const [id] = [...other.hosts.values()].filter((one) => one.name === "configured").map((one) => one.id);
    expect((await call(other, "POST", `/hosts/${id}/observe`)).status).toBe(200);
    await other.stop();
    expect((await call(engine, "POST", `/hosts/${hostId}/observe`)).status).toBe(200);
  });
});

describe("rotation", () => {
  test("requests go on while tokens are rotated, and the agent then takes the new one only", async () => {
    const second = await rig.newEngine(url, [configured]);
    const [before] = hashesAtAgent();
    let isRotating = true;
    const statuses = new Set<number>();
    const asking = [engine, second].map(async (one) => {
      while (isRotating) statuses.add((await call(one, "POST", `/hosts/${hostId}/observe`)).status);
    });
    try {
      for (let i = 0; i < 5; i++) {
        const answer = await call(engine, "POST", `/hosts/${hostId}/rotate`);
        expect(answer).toMatchObject({ status: 200, body: { rotatedAt: expect.any(String) } });
      }
    } finally {
      isRotating = false;
      await Promise.all(asking);
    }
    expect([...statuses]).toEqual([200]);
    const after = hashesAtAgent();
    expect(after).toHaveLength(1);
    expect(after[0]).not.toBe(before);
    expect(await audited("hosts.rotate")).toMatchObject([{ actor: "key:admin", outcome: "done", subject: hostId }]);
    await second.stop();
  });

  test("two who rotate at once both succeed, and the host is still reached", async () => {
    const both = await Promise.all([1, 2].map(() => call(engine, "POST", `/hosts/${hostId}/rotate`)));
    expect(both.map((one) => one.status)).toEqual([200, 200]);
    expect((await call(engine, "POST", `/hosts/${hostId}/observe`)).status).toBe(200);
    await until(
      async () => hashesAtAgent().length,
      (n) => n === 1,
    );
  });

  test("an agent that does not answer keeps its token, and one that was not told of the end is told at the next contact", async () => {
    const before = hashesAtAgent();
    await agent.stop();
    expect(await call(engine, "POST", `/hosts/${hostId}/rotate`)).toMatchObject({
      status: 503,
      body: { detail: expect.stringContaining("Its token is as it was") },
    });
    await agent.start();
    expect(hashesAtAgent()).toEqual(before);
    await query("update host_credentials set confirm_pending = true where host_id = $1", [hostId]);
    const third = await rig.newEngine(url, [configured]);
    expect((await call(third, "POST", `/hosts/${hostId}/observe`)).status).toBe(200);
    expect(await query("select confirm_pending from host_credentials where host_id = $1", [hostId])).toEqual([
      { confirm_pending: false },
    ]);
    // One that was confirmed late leaves the token that was kept after it to be confirmed.
    await query("update host_credentials set confirm_pending = true where host_id = $1", [hostId]);
    expect(await markConfirmed(third.db.orm, hostId, "sealed before")).toBe(false);
    expect(await query("select confirm_pending from host_credentials where host_id = $1", [hostId])).toEqual([
      { confirm_pending: true },
    ]);
    await third.stop();
  });
});

describe("changes", () => {
  test("a host of the configuration is not changed, rotated or retired by the API, and the answer says why", async () => {
    const [id] = [...engine.hosts.values()].filter((one) => one.name === "configured").map((one) => one.id);
    const before = await snapshot(url, ["audit_log"]);
    for (const [method, address, body] of [
      ["PATCH", `/hosts/${id}`, { name: "mine" }],
      ["DELETE", `/hosts/${id}`, undefined],
      ["POST", `/hosts/${id}/rotate`, undefined],
    ] as const) {
      expect(await call(engine, method, address, { body })).toMatchObject({
        status: 409,
        body: { detail: expect.stringContaining("DRIFTLINE_CONFIG") },
      });
    }
    expect(await snapshot(url, ["audit_log"])).toBe(before);
  });

  test("a name is changed; a taken one is refused; an address where another agent answers is said to be so", async () => {
    const renamed = await call(engine, "PATCH", `/hosts/${hostId}`, { body: { name: "beta" } });
    expect(renamed).toMatchObject({ status: 200, body: { name: "beta", state: "online" } });
    expect(await audited("hosts.update")).toMatchObject([{ outcome: "done", subject: hostId }]);
    expect((await call(engine, "PATCH", `/hosts/${hostId}`, { body: { name: "beta" } })).status).toBe(200);
    expect(await audited("hosts.update")).toMatchObject([{ outcome: "unchanged", subject: hostId }]);
    for (const name of ["configured", "late"]) {
      expect((await call(engine, "PATCH", `/hosts/${hostId}`, { body: { name } })).status).toBe(409);
    }
    const stranger = await openPairable(rig.dir, "stranger");
    const moved = await call(engine, "PATCH", `/hosts/${hostId}`, { body: { url: stranger.url } });
    expect(moved).toMatchObject({
      status: 200,
      body: { state: "offline", error: { message: expect.stringContaining("certificate that was pinned") } },
    });
    // Nothing of ours reached the stranger, not even a refused token.
    expect(stranger.log()).not.toContain("token");
    await stranger.stop();
    const back = await call(engine, "PATCH", `/hosts/${hostId}`, { body: { url: agent.url } });
    expect(back).toMatchObject({ status: 200, body: { state: "online" } });
  });

  test("retiring is refused while a job runs there, keeps the history, and shuts the agent's door", async () => {
    const found = engine.hosts.get(hostId);
    if (found) await readHost(engine, found, { force: true });
    await query("insert into jobs (vm_id, kind, state, actor) values ($1, 'redefine', 'running', 'test')", [vmId]);
    expect(await call(engine, "DELETE", `/hosts/${hostId}`)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("job") },
    });
    await query("update jobs set state = 'succeeded'");
    const answer = await call(engine, "DELETE", `/hosts/${hostId}`);
    expect(answer).toMatchObject({ status: 200, body: { retiredAt: expect.any(String), state: "offline" } });
    expect(await audited("hosts.retire")).toMatchObject([{ outcome: "done", subject: hostId }]);
    expect(engine.hosts.has(hostId)).toBe(false);
    expect(hashesAtAgent()).toEqual([]);
    expect(await query("select count(*)::int as n from host_credentials")).toEqual([{ n: 0 }]);
    const { items } = (await call(engine, "GET", "/hosts")).body as { items: Host[] };
    expect(items.map((one) => one.name)).toEqual(["configured"]);
    expect((await call(engine, "GET", `/vms/${vmId}`)).body).toMatchObject({ hostName: "beta" });
    expect((await call(engine, "DELETE", `/hosts/${hostId}`)).status).toBe(409);
    const again = await pair({ name: "beta" });
    expect(again).toMatchObject({ status: 201, body: { id: hostId, retiredAt: null, state: "online" } });
  });
});

test("a token of another host opens nothing, on the wire and in the database", async () => {
  const second = await openPairable(rig.dir, "second");
  try {
    const answer = await call(engine, "POST", "/hosts", {
      body: { name: "second", url: second.url, code: await second.code() },
    });
    const { id } = host(answer);
    const row = (await query("select sealed_token, certificate from host_credentials where host_id = $1", [id]))[0];
    const token = engine.sealer?.open(String(row?.sealed_token), `host ${id}\n${row?.certificate}`);
    const insecure = new Agent({ connect: { rejectUnauthorized: false } });
    const ask = async (to: string) =>
      (await undiciFetch(`${to}/v1/host`, { headers: { authorization: `Bearer ${token}` }, dispatcher: insecure }))
        .status;
    expect([await ask(second.url), await ask(agent.url)]).toEqual([200, 401]);
    await insecure.close();
    // Whoever can write to the database cannot lead one host's token to another host.
    await query("update host_credentials set sealed_token = $2 where host_id = $1", [hostId, row?.sealed_token]);
    const third = await rig.newEngine(url, [configured]);
    expect(await call(third, "POST", `/hosts/${hostId}/observe`)).toMatchObject({
      status: 503,
      body: { hostMessage: expect.stringContaining("belongs to another host") },
    });
    await third.stop();
  } finally {
    await second.stop();
  }
});
