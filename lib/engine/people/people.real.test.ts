import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApiKeyView, OneTimeLink, SessionView, UserView } from "#contract/engine.ts";
import { handleAuth } from "../auth/handle-auth.ts";
import type { Engine } from "../state.ts";
import { type Answer, call, openRig, type Rig, snapshot, until } from "../testing/rig.ts";
import { acceptLink, describeLink } from "./links.ts";

const ADMIN = { email: "first@example.org", password: "correct horse battery" };
const PASSWORD = "a password of my own";

let rig: Rig;
let url: string;
let engine: Engine;
beforeAll(async () => {
  rig = await openRig();
  url = await rig.newDatabase();
  engine = await rig.newEngine(url, [], { admin: ADMIN });
});
afterAll(() => rig.close());

async function query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

const SITE = { host: "driftline.test", origin: "http://driftline.test" };
async function signIn(email: string, password: string, headers: Record<string, string> = {}) {
  const response = await handleAuth(
    engine,
    new Request("http://driftline.test/api/auth/sign-in/email", {
      method: "POST",
      headers: { "content-type": "application/json", ...SITE, "x-driftline-peer": randomIp(), ...headers },
      body: JSON.stringify({ email, password }),
    }),
    randomUUID(),
  );
  const cookies = response.headers.getSetCookie().map((one) => one.split(";")[0]);
  return { status: response.status, cookie: cookies.join("; "), body: await response.text() };
}
/** A new one each time, so that the limit per address stays out of what is looked at. */
const randomIp = () => `10.${rand()}.${rand()}.${rand()}`;
const rand = () => Math.floor(Math.random() * 250) + 1;

const as = (cookie: string) => (method: string, address: string, body?: unknown) =>
  call(engine, method, address, { role: null, body, headers: { cookie, origin: SITE.origin } });

const tokenOf = (link: OneTimeLink) => new URL(link.path, "http://x").searchParams.get("token") ?? "";

/** Someone who was invited and has come. */
async function newPerson(role: string): Promise<{ user: UserView; email: string }> {
  const email = `${randomUUID().slice(0, 8)}@example.org`;
  const invited = (await call(engine, "POST", "/users", { body: { email, role } })).body as {
    user: UserView;
    link: OneTimeLink;
  };
  await acceptLink(engine, { token: tokenOf(invited.link), name: "Somebody", password: PASSWORD }, "t");
  return { user: invited.user, email };
}

const me = async (cookie: string): Promise<Answer> => as(cookie)("GET", "/me");

test("an invited person sets name and password with a link that works once, and the secret is stored nowhere", async () => {
  const email = "Invited@Example.org";
  const answer = await call(engine, "POST", "/users", { body: { email, role: "operator" } });
  expect(answer.status).toBe(201);
  const { user, link } = answer.body as { user: UserView; link: OneTimeLink };
  expect(user).toMatchObject({ email: "invited@example.org", role: "operator", state: "invited", signsInBy: [] });
  const token = tokenOf(link);
  expect(await snapshot(url)).not.toContain(token);
  expect((await signIn(user.email, PASSWORD)).status).toBe(401);
  await expect(acceptLink(engine, { token: "guessed", password: PASSWORD }, "t")).rejects.toMatchObject({
    code: "forbidden",
  });
  await expect(acceptLink(engine, { token, password: "short" }, "t")).rejects.toMatchObject({
    code: "invalid_input",
    errors: [{ field: "password" }],
  });
  expect(await describeLink(engine, token)).toMatchObject({ purpose: "invitation", email: user.email });
  const both = await Promise.allSettled([
    acceptLink(engine, { token, name: "In Vited", password: PASSWORD }, "t"),
    acceptLink(engine, { token, name: "Someone Else", password: "another password" }, "t"),
  ]);
  expect(both.map((one) => one.status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(await describeLink(engine, token)).toBeNull();
  const passwords = [PASSWORD, "another password"];
  const statuses = await Promise.all(passwords.map(async (one) => (await signIn(user.email, one)).status));
  expect(statuses.sort()).toEqual([200, 401]);
});

test("an invitation that is too old, or was replaced by a newer one, does not work", async () => {
  const email = "late@example.org";
  const first = (await call(engine, "POST", "/users", { body: { email, role: "viewer" } })).body as {
    user: UserView;
    link: OneTimeLink;
  };
  const again = await call(engine, "POST", `/users/${first.user.id}/reset-password`, { body: {} });
  const { link } = again.body as { link: OneTimeLink };
  await expect(acceptLink(engine, { token: tokenOf(first.link), password: PASSWORD }, "t")).rejects.toMatchObject({
    code: "forbidden",
  });
  await query("update auth_links set expires_at = now() - interval '1 second' where user_id = $1", [first.user.id]);
  await expect(acceptLink(engine, { token: tokenOf(link), password: PASSWORD }, "t")).rejects.toMatchObject({
    code: "forbidden",
  });
});

test("an address that is known cannot be invited again", async () => {
  const answer = await call(engine, "POST", "/users", { body: { email: ADMIN.email.toUpperCase(), role: "viewer" } });
  expect(answer).toMatchObject({ status: 409, body: { code: "conflict", errors: [{ field: "email" }] } });
});

test("a disabled person is out at once, cannot come in, and can when enabled again", async () => {
  const { user, email } = await newPerson("support");
  const { cookie } = await signIn(email, PASSWORD);
  expect((await me(cookie)).body).toMatchObject({ name: email, role: "support" });
  await call(engine, "POST", `/users/${user.id}/disable`, { body: {} });
  expect((await me(cookie)).status).toBe(401);
  const refused = await signIn(email, PASSWORD);
  expect(refused.status).toBe(401);
  expect(refused.cookie).toBe("");
  expect(await query("select 1 from auth_sessions where user_id = $1", [user.id])).toEqual([]);
  await call(engine, "POST", `/users/${user.id}/enable`, { body: {} });
  expect((await signIn(email, PASSWORD)).status).toBe(200);
});

test("a password reset ends the person's sessions and the old password, and the link sets a new one", async () => {
  const { user, email } = await newPerson("viewer");
  const { cookie } = await signIn(email, PASSWORD);
  const answer = await call(engine, "POST", `/users/${user.id}/reset-password`, { body: {} });
  const { link } = answer.body as { link: OneTimeLink };
  expect((await me(cookie)).status).toBe(401);
  expect((await signIn(email, PASSWORD)).status).toBe(401);
  await acceptLink(engine, { token: tokenOf(link), password: "something else entirely" }, "t");
  expect((await signIn(email, "something else entirely")).status).toBe(200);
});

test("the last administrator cannot be demoted, disabled, reset or deleted, also not by two at once", async () => {
  const lone = await rig.newDatabase();
  const other = await rig.newEngine(lone, []);
  const make = async (email: string) => {
    const made = (await call(other, "POST", "/users", { body: { email, role: "admin" } })).body as {
      user: UserView;
      link: OneTimeLink;
    };
    await acceptLink(other, { token: tokenOf(made.link), password: PASSWORD }, "t");
    return made.user;
  };
  const one = await make("one@example.org");
  // Invited and not come yet: that is nobody who could let others in.
  const invited = await call(other, "POST", "/users", { body: { email: "not-yet@example.org", role: "admin" } });
  expect(invited.status).toBe(201);
  const attempts: [string, string, object?][] = [
    ["POST", `/users/${one.id}/role`, { role: "viewer" }],
    ["POST", `/users/${one.id}/disable`, {}],
    ["POST", `/users/${one.id}/reset-password`, {}],
    ["DELETE", `/users/${one.id}`],
  ];
  for (const [method, address, body] of attempts)
    expect(await call(other, method, address, { body })).toMatchObject({ status: 409, body: { code: "conflict" } });
  const two = await make("two@example.org");
  const both = await Promise.all(
    [one, two].map((user) => call(other, "POST", `/users/${user.id}/role`, { body: { role: "viewer" } })),
  );
  expect(both.map((answer) => answer.status).sort()).toEqual([200, 409]);
});

test("nobody gives rights to themselves, and the configured administrator is changed in the configuration only", async () => {
  const { user, email } = await newPerson("admin");
  const { cookie } = await signIn(email, PASSWORD);
  const self = as(cookie);
  for (const [method, address, body] of [
    ["POST", `/users/${user.id}/role`, { role: "viewer" }],
    ["POST", `/users/${user.id}/disable`, {}],
    ["DELETE", `/users/${user.id}`, undefined],
  ] as const)
    expect(await self(method, address, body)).toMatchObject({ status: 409 });
  const [configured] = await query("select id from auth_users where email = $1", [ADMIN.email]);
  const answer = await self("POST", `/users/${configured?.id}/role`, { role: "viewer" });
  expect(answer).toMatchObject({ status: 409 });
  const operator = await newPerson("operator");
  const theirs = as((await signIn(operator.email, PASSWORD)).cookie);
  expect((await theirs("POST", `/users/${operator.user.id}/role`, { role: "admin" })).status).toBe(403);
  expect((await theirs("POST", "/api-keys", { name: "mine", role: "admin" })).status).toBe(403);
});

test("sessions are listed with device and address, one can be ended, and all at once", async () => {
  const { email, user } = await newPerson("viewer");
  const first = await signIn(email, PASSWORD, { "user-agent": "Laptop/1.0", "x-driftline-peer": "192.0.2.7" });
  const second = await signIn(email, PASSWORD, { "user-agent": "Phone/2.0" });
  const list = async (cookie: string) =>
    ((await as(cookie)("GET", "/account/sessions")).body as { items: SessionView[] }).items;
  const mine = await list(first.cookie);
  expect(mine).toHaveLength(2);
  expect(mine.find((one) => one.current)).toMatchObject({ userAgent: "Laptop/1.0", address: "192.0.2.7" });
  const phone = mine.find((one) => !one.current);
  expect((await as(first.cookie)("POST", `/account/sessions/${phone?.id}/end`, {})).body).toEqual({ ended: 1 });
  expect((await me(second.cookie)).status).toBe(401);
  expect((await as(first.cookie)("POST", `/account/sessions/${phone?.id}/end`, {})).status).toBe(404);
  // Nobody ends, or even finds, the session of somebody else.
  const stranger = await newPerson("viewer");
  const { cookie } = await signIn(stranger.email, PASSWORD);
  const own = mine.find((one) => one.current);
  expect((await as(cookie)("POST", `/account/sessions/${own?.id}/end`, {})).status).toBe(404);
  expect((await me(first.cookie)).status).toBe(200);
  const third = await signIn(email, PASSWORD);
  expect((await as(first.cookie)("POST", "/account/sign-out-everywhere", {})).body).toEqual({ ended: 2 });
  for (const one of [first, third]) expect((await me(one.cookie)).status).toBe(401);
  const forth = await signIn(email, PASSWORD);
  const seen = await call(engine, "GET", `/users/${user.id}/sessions`);
  expect((seen.body as { items: SessionView[] }).items).toHaveLength(1);
  await call(engine, "POST", `/users/${user.id}/sessions/end`, { body: {} });
  expect((await me(forth.cookie)).status).toBe(401);
});

test("a session that has expired is refused although its cookie is right", async () => {
  const { email, user } = await newPerson("viewer");
  const { cookie } = await signIn(email, PASSWORD);
  expect((await me(cookie)).status).toBe(200);
  await query("update auth_sessions set expires_at = now() - interval '1 second' where user_id = $1", [user.id]);
  expect((await me(cookie)).status).toBe(401);
  expect((await me(cookie.replace(/=(.{4})/, "=AAAA"))).status).toBe(401);
});

test("changing the own password needs the present one and ends the other sessions", async () => {
  const { email } = await newPerson("viewer");
  const here = (await signIn(email, PASSWORD)).cookie;
  const there = (await signIn(email, PASSWORD)).cookie;
  const change = (current: string, next: string) => as(here)("POST", "/account/password", { current, next });
  expect(await change("wrong", "a new password 1")).toMatchObject({
    status: 422,
    body: { errors: [{ field: "current" }] },
  });
  expect(await change(PASSWORD, "short")).toMatchObject({ status: 422, body: { errors: [{ field: "next" }] } });
  expect((await change(PASSWORD, "a new password 1")).body).toEqual({ ended: 1 });
  expect((await me(here)).status).toBe(200);
  expect((await me(there)).status).toBe(401);
  expect((await signIn(email, PASSWORD)).status).toBe(401);
  expect((await signIn(email, "a new password 1")).status).toBe(200);
});

test("a key works with its role until it expires or is revoked, and its secret is shown once", async () => {
  const made = await call(engine, "POST", "/api-keys", { body: { name: "nightly", role: "support" } });
  expect(made.status).toBe(201);
  const { key, secret } = made.body as { key: ApiKeyView; secret: string };
  expect(key).toMatchObject({ name: "nightly", source: "console", hosts: null, state: "active", lastUsedAt: null });
  expect(await snapshot(url)).not.toContain(secret);
  const use = () => call(engine, "GET", "/me", { role: null, headers: { authorization: `Bearer ${secret}` } });
  expect((await use()).body).toMatchObject({ kind: "program", name: "nightly", role: "support" });
  const list = async () => ((await call(engine, "GET", "/api-keys")).body as { items: ApiKeyView[] }).items;
  expect((await list()).find((one) => one.id === key.id)?.lastUsedAt).not.toBeNull();
  expect(JSON.stringify(await list())).not.toContain(secret);
  await query("update api_keys set expires_at = now() - interval '1 second' where id = $1", [key.id]);
  expect((await use()).status).toBe(401);
  expect((await list()).find((one) => one.id === key.id)?.state).toBe("expired");
  await query("update api_keys set expires_at = null where id = $1", [key.id]);
  expect((await use()).status).toBe(200);
  expect((await call(engine, "POST", `/api-keys/${key.id}/revoke`, { body: {} })).body).toMatchObject({
    state: "revoked",
  });
  expect((await use()).status).toBe(401);
  const taken = await call(engine, "POST", "/api-keys", { body: { name: "nightly", role: "viewer" } });
  expect(taken).toMatchObject({ status: 409, body: { errors: [{ field: "name" }] } });
  const past = { name: "past", role: "viewer", expiresAt: "2020-01-01T00:00:00Z" };
  expect((await call(engine, "POST", "/api-keys", { body: past })).status).toBe(422);
});

test("a key of the configuration is marked as such and cannot be revoked here; one made here survives a restart", async () => {
  const { body } = await call(engine, "POST", "/api-keys", { body: { name: "survivor", role: "viewer" } });
  const { secret } = body as { secret: string };
  const list = ((await call(engine, "GET", "/api-keys")).body as { items: ApiKeyView[] }).items;
  const configured = list.find((one) => one.name === "viewer");
  expect(configured).toMatchObject({ source: "configuration", hosts: null });
  expect((await call(engine, "POST", `/api-keys/${configured?.id}/revoke`, { body: {} })).status).toBe(409);
  const again = await rig.newEngine(url, [], { admin: ADMIN });
  const use = await call(again, "GET", "/me", { role: null, headers: { authorization: `Bearer ${secret}` } });
  expect(use.status).toBe(200);
});

test("every change of people and keys has one audit row, and a refused one has none that says done", async () => {
  const { user, email } = await newPerson("viewer");
  await signIn(email, PASSWORD);
  const steps: [string, string, unknown, string][] = [
    ["POST", `/users/${user.id}/sessions/end`, {}, "users.endSessions"],
    ["POST", `/users/${user.id}/role`, { role: "support" }, "users.setRole"],
    ["POST", `/users/${user.id}/reset-password`, {}, "users.resetPassword"],
    ["POST", `/users/${user.id}/disable`, {}, "users.disable"],
    ["POST", `/users/${user.id}/enable`, {}, "users.enable"],
    ["DELETE", `/users/${user.id}`, undefined, "users.remove"],
  ];
  for (const [method, address, body, action] of steps) {
    const answer = await call(engine, method, address, { body });
    expect({ action, status: answer.status }).toEqual({ action, status: 200 });
    const rows = await query("select actor, outcome from audit_log where subject = $1 and action = $2", [
      user.id,
      action,
    ]);
    expect(rows).toEqual([{ actor: "key:admin", outcome: "done" }]);
  }
  expect(await query("select 1 from auth_users where email = $1", [email])).toEqual([]);
  const gone = await call(engine, "POST", `/users/${user.id}/role`, { body: { role: "viewer" } });
  expect(gone.status).toBe(404);
  expect(
    await query("select 1 from audit_log where subject = $1 and action = 'users.setRole'", [user.id]),
  ).toHaveLength(1);
});

test("what was so already is answered as before, and the audit says who asked and that nothing changed", async () => {
  const { user, email } = await newPerson("viewer");
  const { key } = (await call(engine, "POST", "/api-keys", { body: { name: randomUUID(), role: "viewer" } })).body as {
    key: ApiKeyView;
  };
  await query("delete from auth_sessions where user_id = $1", [user.id]);
  const twice: [string, object, string][] = [
    [`/users/${user.id}/disable`, {}, "users.disable"],
    [`/users/${user.id}/enable`, {}, "users.enable"],
    [`/users/${user.id}/role`, { role: "support" }, "users.setRole"],
    [`/api-keys/${key.id}/revoke`, {}, "apiKeys.revoke"],
  ];
  for (const [address, body, action] of twice) {
    const first = await call(engine, "POST", address, { body });
    const before = await snapshot(url, ["audit_log"]);
    const second = await call(engine, "POST", address, { body });
    expect([action, second.status, second.body]).toEqual([action, 200, first.body]);
    expect(await snapshot(url, ["audit_log"])).toBe(before);
    const rows = await query(
      "select actor, outcome from audit_log where action = $1 and subject = any($2) order by id",
      [action, [user.id, key.id]],
    );
    expect([action, rows.map((row) => `${row.actor} ${row.outcome}`)]).toEqual([
      action,
      ["key:admin done", "key:admin unchanged"],
    ]);
  }
  expect((await call(engine, "POST", `/users/${user.id}/sessions/end`, { body: {} })).body).toEqual({ ended: 0 });
  const listed = await call(engine, "GET", `/audit?outcome=unchanged&subject=${user.id}`);
  expect((listed.body as { items: { action: string; detail: string }[] }).items).toMatchObject([
    { action: "users.endSessions", detail: "0 sessions ended" },
    { action: "users.setRole", detail: `${email} is support already` },
    { action: "users.enable" },
    { action: "users.disable" },
  ]);
});

test("an administrator who was disabled comes in again once the configuration names them, with the same password too", async () => {
  const { user, email } = await newPerson("admin");
  await call(engine, "POST", `/users/${user.id}/disable`, { body: {} });
  expect((await signIn(email, PASSWORD)).status).toBe(401);
  const again = await rig.newEngine(url, [], { admin: { email, password: PASSWORD } });
  expect((await signIn(email, PASSWORD)).status).toBe(200);
  await again.stop();
});

test("an open stream of events ends when its session does", async () => {
  const { email, user } = await newPerson("viewer");
  const { cookie } = await signIn(email, PASSWORD);
  const { handleApi } = await import("../http/handle.ts");
  const stop = new AbortController();
  const response = await handleApi(
    engine,
    new Request("http://driftline.test/api/v1/events", {
      headers: { host: "driftline.test", cookie },
      signal: stop.signal,
    }),
  );
  expect(response.status).toBe(200);
  let isOver = false;
  let heard = "";
  const reading = (async () => {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) heard += new TextDecoder().decode(chunk);
    isOver = true;
  })();
  await until(
    async () => heard,
    (text) => text.includes("heartbeat"),
  );
  // Somebody else's change looks at everybody and leaves this one be.
  await call(engine, "POST", "/api-keys", { body: { name: randomUUID(), role: "viewer" } });
  expect(isOver).toBe(false);
  await call(engine, "POST", `/users/${user.id}/sessions/end`, { body: {} });
  await until(
    async () => isOver,
    (over) => over,
  );
  stop.abort();
  await reading;
});
