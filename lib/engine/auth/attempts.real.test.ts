/** Guessing passwords is bounded, and guessing at somebody's account does not keep that person out. */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OneTimeLink, UserView } from "#contract/engine.ts";
import { acceptLink } from "../people/links.ts";
import type { Engine } from "../state.ts";
import { call, openRig, type Rig } from "../testing/rig.ts";
import { MOST_OF_ALL, MOST_OF_ONE, MOST_WHILE_ATTACKED, takeAttempt } from "./attempts.ts";
import { handleAuth } from "./handle-auth.ts";

const PASSWORD = "a password of my own";
let rig: Rig;
let url: string;
let engine: Engine;
beforeAll(async () => {
  rig = await openRig();
  url = await rig.newDatabase();
  engine = await rig.newEngine(url, []);
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

async function newPerson(): Promise<string> {
  const email = `${randomUUID().slice(0, 8)}@example.org`;
  const body = { email, role: "viewer" };
  const made = (await call(engine, "POST", "/users", { body })).body as { user: UserView; link: OneTimeLink };
  const token = new URL(made.link.path, "http://x").searchParams.get("token") ?? "";
  await acceptLink(engine, { token, name: "Somebody", password: PASSWORD }, "t");
  return email;
}

let used = 0;
const newPeer = () => {
  used += 1;
  return `198.18.${Math.floor(used / 250)}.${(used % 250) + 1}`;
};

async function signIn(email: string, password: string, peer: string, device = "") {
  const headers = {
    "content-type": "application/json",
    host: "driftline.test",
    origin: "http://driftline.test",
    "x-driftline-peer": peer,
    ...(device ? { cookie: device } : {}),
  };
  const body = JSON.stringify({ email, password });
  const request = new Request("http://driftline.test/api/auth/sign-in/email", { method: "POST", headers, body });
  const response = await handleAuth(engine, request, randomUUID());
  const set = response.headers.getSetCookie().find((one) => one.startsWith("driftline.device="));
  return { status: response.status, device: set?.split(";")[0] ?? "", set: set ?? "" };
}
/** What a sign-in does first; the slow hashing is left out. */
const guess = (account: string, peer: string, times: number) =>
  Promise.all(Array.from({ length: times }, () => takeAttempt(engine.db, { account, peer, device: null })));
const attack = async (account: string) => {
  for (let i = 0; i < MOST_OF_ALL; i++) await guess(account, newPeer(), 1);
};

test("who guesses from one network is refused there, in whatever case the address is written, and its owner comes in from another", async () => {
  const email = await newPerson();
  const [stranger, owner] = [newPeer(), newPeer()];
  await guess(email, stranger, MOST_OF_ONE - 1);
  expect((await signIn(email.toUpperCase(), "wrong", stranger)).status).toBe(401);
  expect((await signIn(email, "wrong", stranger)).status).toBe(429);
  expect((await signIn(email, PASSWORD, stranger)).status).toBe(429);
  expect((await signIn(email, PASSWORD, owner)).status).toBe(200);
});

test("a right password starts the count of its network anew", async () => {
  const email = await newPerson();
  const peer = newPeer();
  await guess(email, peer, MOST_OF_ONE - 1);
  expect((await signIn(email, PASSWORD, peer)).status).toBe(200);
  await guess(email, peer, MOST_OF_ONE);
  await expect(guess(email, peer, 1)).rejects.toMatchObject({ code: "rate_limited" });
});

test("an account that is attacked from many networks gives each few guesses and a wait, and still lets its owner in", async () => {
  const email = await newPerson();
  await attack(email);
  const stranger = newPeer();
  const began = performance.now();
  await guess(email, stranger, MOST_WHILE_ATTACKED);
  expect(performance.now() - began).toBeGreaterThanOrEqual(240);
  expect((await signIn(email, PASSWORD, stranger)).status).toBe(429);
  expect((await signIn(email, PASSWORD, newPeer())).status).toBe(200);
});

test("who is refused makes nobody wait: one network cannot make an account count as attacked", async () => {
  const email = await newPerson();
  const stranger = newPeer();
  await Promise.allSettled(Array.from({ length: MOST_OF_ALL * 2 }, () => guess(email, stranger, 1)));
  const owner = newPeer();
  await guess(email, owner, MOST_WHILE_ATTACKED + 1);
  expect((await signIn(email, PASSWORD, owner)).status).toBe(200);
});

test("a browser that has signed in before comes in from the guilty network itself, while the account is attacked", async () => {
  const email = await newPerson();
  const peer = newPeer();
  const { device, set } = await signIn(email, PASSWORD, peer);
  expect(set).toMatch(/; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
  await attack(email);
  await guess(email, peer, MOST_WHILE_ATTACKED);
  expect((await signIn(email, PASSWORD, peer)).status).toBe(429);
  expect((await signIn(email, PASSWORD, peer, device)).status).toBe(200);
});

test("a known browser that is stolen has few guesses, and is a stranger then", async () => {
  const email = await newPerson();
  const { device } = await signIn(email, PASSWORD, newPeer());
  const peer = newPeer();
  await guess(email, peer, MOST_OF_ONE);
  const id = /=([^.]+)\./.exec(device)?.[1] ?? "";
  for (let i = 1; i < MOST_OF_ONE; i++) await takeAttempt(engine.db, { account: email, peer, device: id });
  expect((await signIn(email, "wrong", peer, device)).status).toBe(401);
  expect((await signIn(email, PASSWORD, peer, device)).status).toBe(429);
});

test("a cookie of another account, a changed one and one of nobody are no known browser", async () => {
  const [email, other] = [await newPerson(), await newPerson()];
  const { device } = await signIn(other, PASSWORD, newPeer());
  const own = (await signIn(email, PASSWORD, newPeer())).device;
  const peer = newPeer();
  await guess(email, peer, MOST_OF_ONE);
  const [head = "", until = "", mac = ""] = own.split(".").slice(1);
  const changed = [
    device,
    `driftline.${head}.${Number(until) + 1}.${mac}`,
    `driftline.${head.replace(/=.{4}/, "=AAAA")}.${until}.${mac}`,
    `driftline.${head}.${until}.${"A".repeat(43)}`,
  ];
  for (const cookie of changed)
    expect([cookie, (await signIn(email, PASSWORD, peer, cookie)).status]).toEqual([cookie, 429]);
  expect((await signIn(email, PASSWORD, peer, own)).status).toBe(200);
});

test("what still counts is not forgotten when other counts of the table are cleaned up", async () => {
  const email = await newPerson();
  const [stranger, other] = [newPeer(), newPeer()];
  await guess(email, stranger, MOST_OF_ONE);
  await signIn(email, "wrong", other);
  // Two minutes later better-auth's own count of the other address begins anew, and it deletes what it takes for old.
  await query("update auth_rate_limits set last_request = last_request - 120000");
  await signIn(email, "wrong", other);
  expect((await signIn(email, PASSWORD, stranger)).status).toBe(429);
  await query("update auth_rate_limits set last_request = last_request - 900000");
  expect((await signIn(email, PASSWORD, stranger)).status).toBe(200);
});

test("a stolen session is no way to guess the password without end", async () => {
  const email = await newPerson();
  const peer = newPeer();
  const request = (path: string, body: object, cookie: string) =>
    call(engine, "POST", path, { role: null, body, headers: { cookie, origin: "http://driftline.test" } });
  const response = await handleAuth(
    engine,
    new Request("http://driftline.test/api/auth/sign-in/email", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        host: "driftline.test",
        origin: "http://driftline.test",
        "x-driftline-peer": peer,
      },
      body: JSON.stringify({ email, password: PASSWORD }),
    }),
    randomUUID(),
  );
  const cookie = response.headers
    .getSetCookie()
    .map((one) => one.split(";")[0])
    .join("; ");
  const change = (current: string) => request("/account/password", { current, next: "another password" }, cookie);
  for (let i = 0; i < MOST_OF_ONE; i++) expect((await change("wrong")).status).toBe(422);
  expect((await change(PASSWORD)).status).toBe(429);
  // And the person comes in as before.
  expect((await signIn(email, PASSWORD, newPeer())).status).toBe(200);
});
