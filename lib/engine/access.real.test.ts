import { randomUUID } from "node:crypto";
import { hashPassword } from "better-auth/crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ROLES } from "#contract/engine.ts";
import { hasRole, NEEDED } from "./actor.ts";
import { MOST_OF_ONE } from "./auth/attempts.ts";
import { handleAuth } from "./auth/handle-auth.ts";
import { offerSetup, setUpFirstAdmin } from "./auth/setup.ts";
import { parseConfig } from "./config.ts";
import { ROUTES } from "./http/routes.ts";
import type { Engine } from "./state.ts";
import { call, openRig, type Rig, snapshot } from "./testing/rig.ts";

vi.mock("better-auth/crypto", async (load) => {
  const real = await load<typeof import("better-auth/crypto")>();
  return { ...real, hashPassword: vi.fn(real.hashPassword) };
});

const ADMIN = { email: "first@example.org", password: "correct horse battery" };

let rig: Rig;
let url: string;
let engine: Engine;
beforeAll(async () => {
  rig = await openRig();
  url = await rig.newDatabase();
  engine = await rig.newEngine(url, [], { admin: ADMIN });
});
afterAll(() => rig.close());

async function query(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function signIn(password = ADMIN.password, email = ADMIN.email) {
  const response = await engine.auth.handler(
    new Request("http://driftline.test/api/auth/sign-in/email", {
      method: "POST",
      headers: { "content-type": "application/json", host: "driftline.test", origin: "http://driftline.test" },
      body: JSON.stringify({ email, password }),
    }),
  );
  const cookie = response.headers
    .getSetCookie()
    .map((one) => one.split(";")[0])
    .join("; ");
  return { status: response.status, cookie, raw: response.headers.getSetCookie().join("\n") };
}

test("a role that is too low is refused before the request is even looked at, and the refusal is audited", async () => {
  const answer = await call(engine, "POST", `/vms/${randomUUID()}/checkpoints`, {
    role: "viewer",
    body: { nonsense: true },
  });
  expect(answer).toMatchObject({ status: 403, body: { code: "forbidden" } });
  const rows = await query(
    "select actor, role, outcome from audit_log where action = 'vms.registerCheckpoint' order by id desc limit 1",
  );
  expect(rows).toEqual([{ actor: "key:viewer", role: "viewer", outcome: "refused" }]);
});

test("every call has a role, and each role gets exactly what it may", async () => {
  expect(Object.keys(NEEDED).sort()).toEqual(ROUTES.map((route) => route.call).sort());
  const values: Record<string, string> = { target: "vda", name: "cp1" };
  for (const { method, pattern, params, call: name } of ROUTES) {
    if (name === "events") continue;
    const template = pattern.source.slice(1, -1).replaceAll("\\", "");
    let i = 0;
    const address = template.replaceAll("([^/]+)", () => values[params[i++] ?? ""] ?? randomUUID());
    for (const role of ROLES) {
      const answer = await call(engine, method, address, { role, ...(method === "POST" ? { body: {} } : {}) });
      const allowed = hasRole({ kind: "program", name: role, role }, NEEDED[name] ?? "admin");
      expect({ name, role, forbidden: answer.status === 403 }).toEqual({ name, role, forbidden: !allowed });
    }
  }
});

test("a key that is not known is refused even beside a session that is", async () => {
  const { cookie } = await signIn();
  const answer = await call(engine, "GET", "/me", { role: null, headers: { cookie, authorization: "Bearer made-up" } });
  expect(answer.status).toBe(401);
});

test("a person signs in with the configured password and is an admin", async () => {
  const { status, cookie, raw } = await signIn();
  expect(status).toBe(200);
  expect(raw).toContain("HttpOnly");
  expect(raw).toContain("SameSite=Strict");
  const answer = await call(engine, "GET", "/me", { role: null, headers: { cookie } });
  expect(answer.body).toEqual({ kind: "person", name: ADMIN.email, role: "admin", hosts: null });
});

test("a role that was taken away is gone at once, not when the session ends", async () => {
  const { cookie } = await signIn();
  await query("update auth_users set role = 'viewer'");
  const answer = await call(engine, "GET", "/me", { role: null, headers: { cookie } });
  expect(answer.body).toMatchObject({ role: "viewer" });
  await query("update auth_users set role = 'admin'");
});

test("with a cookie, only a page of this site may change something", async () => {
  const { cookie } = await signIn();
  const vm = randomUUID();
  const post = (headers: Record<string, string>) =>
    call(engine, "POST", `/vms/${vm}/observe`, { role: null, headers: { cookie, ...headers } });
  const foreign = [
    {},
    { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
    { "sec-fetch-site": "same-site", origin: "http://other.driftline.test" },
    { "sec-fetch-site": "none" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "same-origin", origin: "https://evil.example" },
  ] as Record<string, string>[];
  for (const headers of foreign)
    expect(await post(headers)).toMatchObject({ status: 403, body: { code: "csrf_rejected" } });
  expect((await post({ "sec-fetch-site": "same-origin" })).status).toBe(404);
  expect((await post({ origin: "http://driftline.test" })).status).toBe(404);
  expect(
    (await call(engine, "GET", "/me", { role: null, headers: { cookie, "sec-fetch-site": "cross-site" } })).status,
  ).toBe(200);
});

test("another site can sign nobody in and nobody out", async () => {
  const { cookie } = await signIn();
  const send = (path: string, headers: Record<string, string>) =>
    handleAuth(
      engine,
      new Request(`http://driftline.test/api/auth${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", host: "driftline.test", cookie, ...headers },
        body: JSON.stringify(path === "/sign-out" ? {} : ADMIN),
      }),
      randomUUID(),
    );
  const foreign: Record<string, string>[] = [
    {},
    { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
    { "sec-fetch-site": "same-site", origin: "http://other.driftline.test" },
    { origin: "null" },
  ];
  for (const path of ["/sign-in/email", "/sign-out"]) {
    for (const headers of foreign) {
      const answer = await send(path, headers);
      expect([path, answer.status, answer.headers.getSetCookie()]).toEqual([path, 403, []]);
      expect(await answer.json()).toMatchObject({ code: "csrf_rejected" });
    }
  }
  expect((await call(engine, "GET", "/me", { role: null, headers: { cookie } })).status).toBe(200);
  expect((await send("/sign-out", { origin: "http://driftline.test" })).status).toBe(200);
  expect((await call(engine, "GET", "/me", { role: null, headers: { cookie } })).status).toBe(401);
});

test("nobody can make an account, and nobody can give themselves a role", async () => {
  const before = await query("select email, role from auth_users");
  const { cookie } = await signIn();
  const send = (path: string, body: object, headers = {}) =>
    engine.auth.handler(
      new Request(`http://driftline.test/api/auth${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          host: "driftline.test",
          origin: "http://driftline.test",
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    );
  const made = await send("/sign-up/email", {
    email: "x@example.org",
    password: "long enough",
    name: "x",
    role: "admin",
  });
  expect(made.status).toBeGreaterThanOrEqual(400);
  await query("update auth_users set role = 'viewer'");
  await send("/update-user", { role: "admin" }, { cookie });
  expect(await query("select role from auth_users")).toEqual([{ role: "viewer" }]);
  await query("update auth_users set role = 'admin'");
  expect(await query("select email, role from auth_users")).toEqual(before);
});

test("the one-time link makes one admin, once, and is offered only when nobody can get in", async () => {
  const empty = await rig.newDatabase();
  const open = await rig.newEngine(empty, []);
  expect(await offerSetup(open.db, open.config)).toBeNull();
  const nobody = parseConfig({});
  const path = await offerSetup(open.db, nobody);
  const token = new URL(path ?? "", "http://x").searchParams.get("token") ?? "";
  const good = { token, email: "boss@example.org", password: "12 and longer" };
  await expect(setUpFirstAdmin(open, { ...good, token: "guessed" }, "t")).rejects.toMatchObject({ code: "forbidden" });
  await expect(setUpFirstAdmin(open, { ...good, email: "boss", password: "eleven long" }, "t")).rejects.toMatchObject({
    code: "invalid_input",
    errors: [{ field: "email" }, { field: "password" }],
  });
  const both = await Promise.allSettled([
    setUpFirstAdmin(open, good, "t"),
    setUpFirstAdmin(open, { ...good, email: "other@example.org" }, "t"),
  ]);
  expect(both.map((one) => one.status).sort()).toEqual(["fulfilled", "rejected"]);
  await expect(setUpFirstAdmin(open, good, "t")).rejects.toMatchObject({ code: "forbidden" });
  expect(await offerSetup(open.db, nobody)).toBeNull();
});

const tokenOf = (path: string | null) => new URL(path ?? "", "http://x").searchParams.get("token") ?? "";
const NOBODY = parseConfig({});

test("who guesses at the one-time link is not worth a hash, and is refused after ten from one network", async () => {
  const open = await rig.newEngine(await rig.newDatabase(), []);
  const token = tokenOf(await offerSetup(open.db, NOBODY));
  const good = { token, email: "boss@example.org", password: "12 and longer" };
  const ask = (input: object, peer: string) => setUpFirstAdmin(open, input, "t", peer);
  const hashed = vi.mocked(hashPassword).mock.calls.length;
  for (let i = 0; i < MOST_OF_ONE; i++)
    await expect(ask({ ...good, token: `guess ${i}` }, "198.51.100.1")).rejects.toMatchObject({ code: "forbidden" });
  await expect(ask(good, "198.51.100.1")).rejects.toMatchObject({ code: "rate_limited" });
  expect(vi.mocked(hashPassword).mock.calls.length).toBe(hashed);
  await ask(good, "198.51.100.2");
});

test("every process's one-time link works until one of them is used, and none afterwards", async () => {
  const database = await rig.newDatabase();
  const open = await rig.newEngine(database, []);
  const [first, second] = [await offerSetup(open.db, NOBODY), await offerSetup(open.db, NOBODY)];
  const input = { email: "boss@example.org", password: "12 and longer" };
  await setUpFirstAdmin(open, { ...input, token: tokenOf(first) }, "t");
  const refused = expect.objectContaining({ code: "forbidden" });
  await expect(setUpFirstAdmin(open, { ...input, token: tokenOf(second) }, "t")).rejects.toEqual(refused);
  // Not even when nobody is an administrator any more.
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  await client.query("delete from auth_users");
  await client.end();
  for (const path of [first, second])
    await expect(setUpFirstAdmin(open, { ...input, token: tokenOf(path) }, "t")).rejects.toEqual(refused);
});

test("two one-time links used at once make one administrator", async () => {
  const open = await rig.newEngine(await rig.newDatabase(), []);
  const tokens = [tokenOf(await offerSetup(open.db, NOBODY)), tokenOf(await offerSetup(open.db, NOBODY))];
  const both = await Promise.allSettled(
    tokens.map((token, i) =>
      setUpFirstAdmin(open, { token, email: `boss${i}@example.org`, password: "12 and longer" }, "t"),
    ),
  );
  expect(both.map((one) => one.status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(both.find((one) => one.status === "rejected")).toMatchObject({ reason: { code: "forbidden" } });
});

test("only a key of an administrator makes the one-time link unnecessary", async () => {
  const open = await rig.newEngine(await rig.newDatabase(), []);
  for (const role of ROLES) {
    const config = parseConfig({ apiKeys: [{ name: role, role, sha256: "0".repeat(64) }] });
    expect([role, (await offerSetup(open.db, config)) !== null]).toEqual([role, role !== "admin"]);
  }
});

test("no secret of the configuration stands in the database or in an answer", async () => {
  const secret = `token-${randomUUID()}`;
  const other = await rig.newDatabase();
  const host = await rig.newHost("secretive");
  host.config.token = secret;
  const one = await rig.newEngine(other, [host], { admin: ADMIN });
  const dump = await snapshot(other, ["server_secrets"]);
  const hosts = JSON.stringify((await call(one, "GET", "/hosts")).body);
  for (const text of [dump, hosts]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(ADMIN.password);
    expect(text).not.toContain("key-of-admin");
  }
});

test("a flood of refusals is counted and does not fill the audit", async () => {
  const count = async () =>
    Number((await query("select count(*)::int as n from audit_log where action = 'auth.required'"))[0]?.n);
  const before = await count();
  for (let i = 0; i < 60; i++) expect((await call(engine, "GET", "/vms", { role: null })).status).toBe(401);
  expect((await count()) - before).toBeLessThanOrEqual(20);
  const metrics = await engine.metrics.registry.metrics();
  expect(metrics).toMatch(/driftline_refusals_total\{code="unauthenticated"\} \d{2,}/);
});

test("failed sign-ins are slowed down after ten in a minute", async () => {
  const statuses: number[] = [];
  for (let i = 0; i < 14; i++) statuses.push((await signIn("wrong password", "first@example.org")).status);
  expect(statuses).toContain(401);
  expect(statuses.at(-1)).toBe(429);
});
