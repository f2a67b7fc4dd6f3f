import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OneTimeLink, UserView } from "#contract/engine.ts";
import { MOST_STARTS } from "./auth/attempts.ts";
import { handleAuth } from "./auth/handle-auth.ts";
import { acceptLink } from "./people/links.ts";
import type { Engine } from "./state.ts";
import { type IdentityProvider, type Known, startIdentityProvider } from "./testing/identity-provider.ts";
import { call, openRig, type Rig, snapshot } from "./testing/rig.ts";

const SITE = "http://driftline.test";
const CALLBACK = `${SITE}/api/auth/oidc/callback`;
const ADMIN = { email: "first@example.org", password: "correct horse battery" };
const PASSWORD = "a password of my own";

let rig: Rig;
let url: string;
let engine: Engine;
let idp: IdentityProvider;
const settings = () => ({
  name: "Example ID",
  issuer: idp.issuer,
  clientId: idp.clientId,
  clientSecret: idp.clientSecret,
  scopes: ["openid", "email", "profile", "groups"],
  roles: { watchers: "viewer", ops: "operator", chiefs: "admin" },
});
beforeAll(async () => {
  rig = await openRig();
  idp = await startIdentityProvider(CALLBACK);
  url = await rig.newDatabase();
  engine = await rig.newEngine(url, [], { admin: ADMIN, oidc: settings() });
});
afterAll(async () => {
  await rig.close();
  await idp.close();
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

const rand = () => Math.floor(Math.random() * 250) + 1;
const newPeer = () => `10.${rand()}.${rand()}.${rand()}`;
const newPerson = (more: Partial<Known> = {}): Known => {
  const sub = randomUUID().slice(0, 8);
  return { sub, email: `${sub}@example.org`, email_verified: true, name: `Name ${sub}`, groups: ["ops"], ...more };
};

async function auth(path: string, init: RequestInit & { headers?: Record<string, string> } = {}, at = engine) {
  const headers = { host: "driftline.test", "x-driftline-peer": newPeer(), ...init.headers };
  return handleAuth(at, new Request(`${SITE}/api/auth${path}`, { ...init, headers }), randomUUID());
}

const start = (body: object = {}, headers: Record<string, string> = {}, at = engine) =>
  auth(
    "/oidc/start",
    {
      method: "POST",
      headers: { "content-type": "application/json", origin: SITE, ...headers },
      body: JSON.stringify(body),
    },
    at,
  );

const cookiesOf = (response: Response) =>
  response.headers
    .getSetCookie()
    .map((one) => one.split(";")[0] ?? "")
    .filter((one) => !one.endsWith("="))
    .join("; ");

/** Up to the address to which the provider sends the browser back, and the cookie that this browser has for it. */
async function begin(next = "/vms", at = engine): Promise<{ back: URL; cookie: string }> {
  const begun = await start({ next }, {}, at);
  const { url: there } = (await begun.json()) as { url: string };
  expect(new URL(there).origin).toBe(idp.issuer);
  const back = await idp.visit(there);
  expect(`${back.origin}${back.pathname}`).toBe(CALLBACK);
  return { back, cookie: cookiesOf(begun) };
}

async function come(back: URL, cookie: string, at = engine) {
  const response = await auth(`/oidc/callback${back.search}`, { headers: { cookie, "user-agent": "Browser/1" } }, at);
  expect(response.status).toBe(303);
  const location = response.headers.get("location") ?? "";
  // Whatever happened, the browser stays on this site.
  expect(location).toMatch(/^\/sign-in(\/done\?next=%2F|\?refused=)/);
  const refused = new URL(location, SITE).searchParams.get("refused");
  const session = cookiesOf(response);
  expect(session === "").toBe(refused !== null);
  return { location, refused, cookie: session, raw: response.headers.getSetCookie().join("\n") };
}

async function signIn(person: Known, at = engine) {
  idp.person = person;
  const { back, cookie } = await begin("/vms", at);
  return come(back, cookie, at);
}

const me = (cookie: string) => call(engine, "GET", "/me", { role: null, headers: { cookie } });
const userOf = async (person: Known) => (await query("select * from auth_users where email = $1", [person.email]))[0];
const invite = async (email: string) =>
  (await call(engine, "POST", "/users", { body: { email, role: "admin" } })).body as {
    user: UserView;
    link: OneTimeLink;
  };
const tokenOf = (link: OneTimeLink) => new URL(link.path, SITE).searchParams.get("token") ?? "";

test("a person of a group comes in with the group's role, and the audit says how", async () => {
  const person = newPerson();
  idp.person = person;
  const { back, cookie } = await begin("/jobs?state=running");
  const arrived = await come(back, cookie);
  expect(arrived.location).toBe(`/sign-in/done?next=${encodeURIComponent("/jobs?state=running")}`);
  expect(arrived.raw).toMatch(/driftline\.session_token=[^\n]*HttpOnly[^\n]*SameSite=Strict/i);
  expect((await me(arrived.cookie)).body).toEqual({
    kind: "person",
    name: person.email,
    role: "operator",
    hosts: null,
  });
  const user = await userOf(person);
  expect(user).toMatchObject({ name: person.name, role: "operator", email_verified: true });
  const rows = await query("select actor, action, role, outcome from audit_log where subject = $1 order by id", [
    user?.id,
  ]);
  expect(rows).toEqual([
    { actor: person.email, action: "auth.provider", role: "operator", outcome: "done" },
    { actor: person.email, action: "auth.sign-in", role: "operator", outcome: "done" },
  ]);
  const [session] = await query("select ip_address, user_agent from auth_sessions where user_id = $1", [user?.id]);
  expect(session).toMatchObject({ ip_address: expect.stringMatching(/^10\./), user_agent: "Browser/1" });
});

test("another group at the next sign-in is another role, in the open session too; of several groups the highest counts", async () => {
  const person = newPerson({ groups: ["ops"] });
  const first = await signIn(person);
  const before = await userOf(person);
  const second = await signIn({ ...person, groups: ["something else", "watchers"], email: "renamed@example.org" });
  for (const { cookie } of [first, second]) expect((await me(cookie)).body).toMatchObject({ role: "viewer" });
  const third = await signIn({ ...person, groups: ["watchers", "chiefs", "ops"] });
  expect((await me(third.cookie)).body).toMatchObject({ role: "admin", name: person.email });
  expect((await userOf(person))?.id).toBe(before?.id);
  const [row] = await query("select detail from audit_log where subject = $1 and action = 'auth.provider' offset 1", [
    before?.id,
  ]);
  expect(row?.detail).toBe("operator → viewer, by the groups");
});

test("who is in no group that has a role does not come in, and is out of what was open", async () => {
  const stranger = newPerson({ groups: ["Ops", "constructor", "__proto__"] });
  expect(await signIn(stranger)).toMatchObject({ refused: "no-group" });
  expect(await userOf(stranger)).toBeUndefined();
  for (const groups of [undefined, [], "", 7, { ops: true }])
    expect(await signIn(newPerson({ groups }))).toMatchObject({ refused: "no-group" });
  const rows = await query("select actor, outcome from audit_log where detail like $1", [
    `%no-group, ${stranger.email}`,
  ]);
  expect(rows).toEqual([{ actor: "anonymous", outcome: "refused" }]);
  const person = newPerson();
  const { cookie } = await signIn(person);
  expect((await me(cookie)).status).toBe(200);
  expect(await signIn({ ...person, groups: [] })).toMatchObject({ refused: "no-group" });
  expect((await me(cookie)).status).toBe(401);
});

test("a wrong state, nonce or verifier, or a provider's error, opens nothing", async () => {
  const change = async (field: string) => {
    const pending = await begin();
    await query(
      `update auth_verifications set value = jsonb_set(value::jsonb, $1, '"0123456789012345678901234567890123456789012"')::text`,
      [[field]],
    );
    return come(pending.back, pending.cookie);
  };
  idp.person = newPerson();
  for (const field of ["state", "nonce", "verifier"]) expect(await change(field)).toMatchObject({ refused: "failed" });
  for (const edit of [
    (to: URLSearchParams) => to.set("state", "made-up"),
    (to: URLSearchParams) => to.delete("state"),
    (to: URLSearchParams) => to.set("iss", "https://evil.example"),
    (to: URLSearchParams) => to.set("code", "made-up"),
  ]) {
    const { back, cookie } = await begin();
    edit(back.searchParams);
    expect(await come(back, cookie)).toMatchObject({ refused: "failed" });
  }
  const { back, cookie } = await begin();
  back.searchParams.set("error", "access_denied");
  expect(await come(back, cookie)).toMatchObject({ refused: "declined" });
  expect(await userOf(idp.person)).toBeUndefined();
});

test("an answer counts once, within its time, and in the browser that asked", async () => {
  idp.person = newPerson();
  const one = await begin();
  const other = await begin();
  expect(await come(one.back, "")).toMatchObject({ refused: "expired" });
  expect(await come(one.back, "driftline.oidc=guessed")).toMatchObject({ refused: "expired" });
  expect(await come(one.back, other.cookie)).toMatchObject({ refused: "failed" });
  const good = await come(one.back, one.cookie);
  expect(good.refused).toBeNull();
  expect(await come(one.back, one.cookie)).toMatchObject({ refused: "expired" });
  // The code once more, with everything else as a new sign-in has it: the provider knows that it was used.
  const again = await begin();
  again.back.searchParams.set("code", one.back.searchParams.get("code") ?? "");
  expect(await come(again.back, again.cookie)).toMatchObject({ refused: "failed" });
  const late = await begin();
  await query("update auth_verifications set expires_at = now() - interval '1 second'");
  expect(await come(late.back, late.cookie)).toMatchObject({ refused: "expired" });
});

test("an ID token whose signature is not the provider's is refused", async () => {
  const other = await rig.newEngine(url, [], { admin: ADMIN, oidc: settings() });
  idp.showsWrongKeys = true;
  try {
    expect(await signIn(newPerson(), other)).toMatchObject({ refused: "failed" });
  } finally {
    idp.showsWrongKeys = false;
    await other.stop();
  }
});

test("nothing leads to a foreign origin, and another site cannot begin a sign-in", async () => {
  for (const next of [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    "vms",
    "/ /x",
  ])
    expect((await start({ next })).status).toBe(422);
  for (const headers of [
    { origin: "https://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site", origin: "http://other.driftline.test" },
  ] as Record<string, string>[])
    expect((await start({}, headers)).status).toBe(403);
  // A host that is not ours is one that the provider does not know.
  const begun = await start({}, { host: "evil.example", origin: "http://evil.example" });
  const { url: there } = (await begun.json()) as { url: string };
  await expect(idp.visit(there)).rejects.toThrow("400");
  const over = await start({}, { "x-forwarded-proto": "https", origin: "https://driftline.test" });
  expect(over.headers.getSetCookie().every((one) => /; Secure/.test(one))).toBe(true);
});

test("a disabled person stays out, also under a new identity of the same address", async () => {
  const person = newPerson();
  const { cookie } = await signIn(person);
  const user = await userOf(person);
  expect((await call(engine, "POST", `/users/${user?.id}/disable`, { body: {} })).status).toBe(200);
  expect((await me(cookie)).status).toBe(401);
  expect(await signIn({ ...person, groups: ["chiefs"] })).toMatchObject({ refused: "disabled" });
  expect(await signIn({ ...person, sub: randomUUID() })).toMatchObject({ refused: "disabled" });
  expect(await query("select 1 from auth_sessions where user_id = $1", [user?.id])).toEqual([]);
  expect((await userOf(person))?.role).toBe("operator");
  await call(engine, "POST", `/users/${user?.id}/enable`, { body: {} });
  expect((await signIn(person)).refused).toBeNull();
});

test("an account with a password is never taken over by an address, and an invitation only by a confirmed one", async () => {
  expect(await signIn(newPerson({ email: ADMIN.email, groups: ["chiefs"] }))).toMatchObject({
    refused: "account-exists",
  });
  const person = newPerson();
  const invited = await invite(String(person.email));
  for (const email_verified of [false, undefined])
    expect(await signIn({ ...person, email_verified })).toMatchObject({ refused: "no-email" });
  expect(await signIn(newPerson({ email: undefined }))).toMatchObject({ refused: "no-email" });
  const { cookie } = await signIn(person);
  // The role is the group's, not the invitation's; the link would set a password beside the provider.
  expect((await me(cookie)).body).toMatchObject({ name: person.email, role: "operator" });
  expect((await userOf(person))?.id).toBe(invited.user.id);
  await expect(acceptLink(engine, { token: tokenOf(invited.link), password: PASSWORD }, "t")).rejects.toMatchObject({
    code: "forbidden",
  });
  const settled = newPerson();
  const link = await invite(String(settled.email));
  await acceptLink(engine, { token: tokenOf(link.link), name: "Somebody", password: PASSWORD }, "t");
  expect(await signIn(settled)).toMatchObject({ refused: "account-exists" });
});

test("who opens a session for a person is our own code, never a request", async () => {
  const [user] = await query("select id from auth_users where email = $1", [ADMIN.email]);
  const init = {
    method: "POST",
    headers: { "content-type": "application/json", origin: SITE },
    body: JSON.stringify({ userId: user?.id }),
  };
  expect((await auth("/driftline/open-session", init)).status).toBe(404);
  const headers = { ...init.headers, host: "driftline.test", "x-driftline-peer": newPeer() };
  const direct = await engine.auth.handler(
    new Request(`${SITE}/api/auth/driftline/open-session`, { ...init, headers }),
  );
  expect(direct.status).toBe(404);
  expect(direct.headers.getSetCookie()).toEqual([]);
});

test("beginnings are limited by address, and no secret of the provider is stored", async () => {
  const peer = { "x-driftline-peer": "192.0.2.44" };
  const statuses: number[] = [];
  for (let i = 0; i <= MOST_STARTS; i++) statuses.push((await start({}, peer)).status);
  expect(statuses).toEqual([...Array(MOST_STARTS).fill(200), 429]);
  expect((await start()).status).toBe(200);
  expect(await snapshot(url)).not.toContain(idp.clientSecret);
  expect(await query("select 1 from auth_accounts where access_token is not null or id_token is not null")).toEqual([]);
});

test("a provider that does not answer is said so in words, and one that is not configured is no address", async () => {
  const without = await rig.newEngine(await rig.newDatabase(), []);
  expect((await start({}, {}, without)).status).toBe(404);
  expect((await auth("/oidc/callback?code=a&state=b", {}, without)).status).toBe(404);
  const oidc = { ...settings(), issuer: "http://127.0.0.1:1" };
  const lost = await rig.newEngine(await rig.newDatabase(), [], { oidc });
  const answer = await start({}, {}, lost);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ detail: "Example ID does not answer." });
});
