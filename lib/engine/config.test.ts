import { expect, test, vi } from "vitest";
import { isStated, nearestKey, parseConfig } from "./config.ts";

const mistakesOf = (value: unknown): string => {
  try {
    parseConfig(value);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
};

const oidc = {
  name: "Example",
  issuer: "https://id.example.org",
  clientId: "driftline",
  clientSecret: "s3cret",
  roles: { operators: "operator" },
};

test("an empty configuration gets the documented defaults", () => {
  expect(parseConfig({})).toEqual({
    hosts: [],
    apiKeys: [],
    policy: {
      redefineOnStart: "auto",
      healOnStart: "ask",
      leastTier: {},
      observeEverySeconds: 60,
      staleAfterSeconds: 300,
      digestBackups: true,
      giveUpAfterSeconds: 300,
      jobLimitSeconds: 21_600,
      keepObservationsDays: 90,
      keepSamplesDays: 180,
      keepFindingsDays: 365,
      keepJobsDays: 365,
      leaseSeconds: 15,
    },
  });
});

test("an unknown key is refused with its place and the nearest known key", () => {
  expect(mistakesOf({ policy: { observeEverySecond: 5 } })).toContain(
    'policy.observeEverySecond: there is no such key; "observeEverySeconds"',
  );
  expect(mistakesOf({ policy: { leastTier: { prun: 3 } } })).toContain('"prune" is the nearest one');
  expect(mistakesOf({ hots: [] })).toContain('hots: there is no such key; "hosts"');
  expect(mistakesOf({ hosts: [{ name: "a", url: "unix:/x", token: "t", tocken: 1 }] })).toContain(
    'hosts[0].tocken: there is no such key; "token"',
  );
  expect(mistakesOf({ oidc: { ...oidc, groupsClaim: "groups" } })).toContain(
    'oidc.groupsClaim: there is no such key; "groupClaim" is the nearest one',
  );
  expect(nearestKey("statleAfter", ["observeEverySeconds", "staleAfterSeconds"])).toBe("staleAfterSeconds");
});

test("what was stated is known to every copy of the module, as the server's bundles have them", async () => {
  const config = parseConfig({ policy: { observeEverySeconds: 30 } });
  vi.resetModules();
  const other = await import("./config.ts");
  expect(other.isStated).not.toBe(isStated);
  expect([other.isStated(config, "policy.observeEverySeconds"), other.isStated(config, "policy.leaseSeconds")]).toEqual(
    [true, false],
  );
});

test("every mistake is named at once, and no secret is repeated", () => {
  const message = mistakesOf({
    hosts: [{ name: "", url: "ftp://x", token: "" }],
    apiKeys: [{ name: "k", role: "root", sha256: "SECRETSECRET" }],
    admin: { email: "nobody", password: "s3cret" },
  });
  for (const field of [
    "hosts[0].name",
    "hosts[0].url",
    "hosts[0].token",
    "apiKeys[0].role",
    "apiKeys[0].sha256",
    "admin.email",
    "admin.password",
  ]) {
    expect(message).toContain(field);
  }
  expect(message).not.toContain("SECRETSECRET");
  expect(message).not.toContain("s3cret");
});

test("plain http is refused for every machine but this one", () => {
  const host = (url: string) => ({ hosts: [{ name: "a", url, token: "t" }] });
  expect(mistakesOf(host("http://10.0.0.7:7411"))).toContain("use https");
  for (const url of [
    "http://127.0.0.1:7411",
    "http://localhost:1",
    "http://[::1]:2",
    "https://host:7411",
    "unix:/run/a.sock",
  ]) {
    expect(parseConfig(host(url)).hosts[0]?.url).toBe(url);
  }
});

test("names, addresses and hashes that stand twice are refused", () => {
  const host = { name: "a", url: "unix:/x", token: "t" };
  expect(mistakesOf({ hosts: [host, host] })).toContain('the name "a" stands twice');
  const key = { name: "k", role: "viewer", sha256: "0".repeat(64) };
  expect(mistakesOf({ apiKeys: [key, { ...key, name: "l" }] })).toContain("hash 00000000… stands twice");
});

test("a stale limit below the pace of observing is refused", () => {
  expect(mistakesOf({ policy: { observeEverySeconds: 300, staleAfterSeconds: 300 } })).toContain(
    "policy.staleAfterSeconds",
  );
});

test("an identity provider is asked over https, or on this machine, and needs a group with a role that exists", () => {
  expect(parseConfig({ oidc }).oidc).toMatchObject({ groupClaim: "groups", scopes: ["openid", "email", "profile"] });
  for (const issuer of ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"])
    expect(parseConfig({ oidc: { ...oidc, issuer } }).oidc?.issuer).toBe(issuer);
  for (const issuer of ["http://id.example.org", "http://127.0.0.1.example.org", "ftp://127.0.0.1", "id"])
    expect(mistakesOf({ oidc: { ...oidc, issuer } })).toContain("oidc.issuer: an https address");
  expect(mistakesOf({ oidc: { ...oidc, roles: {} } })).toContain("oidc.roles: names no group");
  expect(mistakesOf({ oidc: { ...oidc, scopes: ["email"] } })).toContain('oidc.scopes: "openid"');
  const wrong = mistakesOf({ oidc: { ...oidc, roles: { operators: "root" } } });
  expect(wrong).toContain("oidc.roles.operators");
  expect(wrong).not.toContain("s3cret");
});
