/**
 * Sign-in through an identity provider: authorization code with PKCE, state and nonce. The provider says who somebody
 * is and in which groups; the configuration says which role a group has, and it holds at every sign-in anew.
 * Errors of the library carry codes and claims: of them only message and code are logged.
 */
import { randomBytes } from "node:crypto";
import * as client from "openid-client";
import { z } from "zod";
import { ROLES, type Role } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";
import { saveSignInAttempt, takeSignInAttempt } from "#db/index.ts";
import type { Config } from "../config.ts";
import { log } from "../log.ts";
import type { Engine } from "../state.ts";
import { sha256 } from "./authenticate.ts";
import { siteOf } from "./better-auth.ts";
import { admitPerson, type Refusal, SignInRefused } from "./oidc-person.ts";

const COOKIE = "driftline.oidc";
const MINUTES = 10;
const CALLBACK = "/api/auth/oidc/callback";

type Settings = NonNullable<Config["oidc"]>;
const attemptSchema = z.object({ state: z.string(), nonce: z.string(), verifier: z.string(), next: z.string() });

const known = new WeakMap<Settings, Promise<client.Configuration>>();

/** The provider as it describes itself; asked once, and again after a failure. */
function discover(settings: Settings): Promise<client.Configuration> {
  const found = known.get(settings);
  if (found) return found;
  const issuer = new URL(settings.issuer);
  // Plain http passes the configuration for this machine only.
  const execute = issuer.protocol === "http:" ? [client.allowInsecureRequests] : [];
  // Without this the library takes the ID token unsigned, because it comes straight from the provider.
  execute.push(client.enableNonRepudiationChecks);
  const asked = client.discovery(issuer, settings.clientId, settings.clientSecret, undefined, { execute, timeout: 10 });
  known.set(settings, asked);
  asked.catch(() => known.delete(settings));
  return asked;
}

function requireSettings({ config }: Engine): Settings {
  if (!config.oidc) throw new ProblemError("not_found", "There is no identity provider in the configuration.");
  return config.oidc;
}

/** Where the browser goes to sign in. The cookie binds the answer to this browser; it comes back from another site. */
export async function startOidc(engine: Engine, headers: Headers, next: string): Promise<Response> {
  const settings = requireSettings(engine);
  const site = siteOf(headers);
  if (!site) throw new ProblemError("malformed", "The request does not say which host it is for.");
  const provider = await discover(settings).catch((error: unknown) => {
    log.warn(whyOf(error), "the identity provider does not answer");
    throw new ProblemError("unavailable", `${settings.name} does not answer.`);
  });
  const state = client.randomState();
  const nonce = client.randomNonce();
  const verifier = client.randomPKCECodeVerifier();
  const handle = randomBytes(32).toString("base64url");
  const value = JSON.stringify({ state, nonce, verifier, next });
  await saveSignInAttempt(engine.db.orm, sha256(handle), value, new Date(Date.now() + MINUTES * 60_000));
  const url = client.buildAuthorizationUrl(provider, {
    redirect_uri: `${site}${CALLBACK}`,
    scope: settings.scopes.join(" "),
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  const cookie = `${COOKIE}=${handle}; Path=/api/auth/oidc; HttpOnly; SameSite=Lax; Max-Age=${MINUTES * 60}`;
  return Response.json({ url: url.href }, { headers: { "set-cookie": cookie, "cache-control": "no-store" } });
}

/** The provider's answer: opens a session, or says on the sign-in page why not. Never leaves this site. */
export async function finishOidc(
  engine: Engine,
  request: Request,
  traceId: string,
): Promise<{ response: Response; refusal: Refusal | null; who: string | null }> {
  const settings = requireSettings(engine);
  let who: string | null = null;
  try {
    const handle = new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{43})(?:;|$)`).exec(
      request.headers.get("cookie") ?? "",
    );
    const stored = handle?.[1] ? await takeSignInAttempt(engine.db.orm, sha256(handle[1])) : null;
    if (!stored) throw new SignInRefused("expired");
    const attempt = attemptSchema.parse(JSON.parse(stored));
    const claims = await readClaims(settings, request, attempt);
    who = String(claims.email ?? claims.sub).slice(0, 320);
    const role = roleOf(settings, claims);
    const userId = await admitPerson(engine, { issuer: settings.issuer, claims, role, traceId });
    const opened = await engine.auth.api.openSession({ body: { userId }, headers: request.headers, asResponse: true });
    if (!opened.ok) throw new SignInRefused("disabled");
    const headers = new Headers({ location: `/sign-in/done?next=${encodeURIComponent(attempt.next)}` });
    for (const cookie of opened.headers.getSetCookie()) headers.append("set-cookie", cookie);
    return { response: leave(headers), refusal: null, who };
  } catch (error) {
    if (!(error instanceof SignInRefused))
      log.warn({ ...whyOf(error), traceId }, "sign-in through the provider failed");
    const refusal = refusalOf(error);
    return { response: leave(new Headers({ location: `/sign-in?refused=${refusal}` })), refusal, who };
  }
}

const whyOf = (error: unknown) => {
  const { message, code } = error as { message?: string; code?: string };
  return { why: message, code };
};

function refusalOf(error: unknown): Refusal {
  if (error instanceof SignInRefused) return error.refusal;
  return error instanceof client.AuthorizationResponseError ? "declined" : "failed";
}

function leave(headers: Headers): Response {
  headers.append("set-cookie", `${COOKIE}=; Path=/api/auth/oidc; HttpOnly; SameSite=Lax; Max-Age=0`);
  headers.set("cache-control", "no-store");
  headers.set("referrer-policy", "no-referrer");
  return new Response(null, { status: 303, headers });
}

type Claims = Record<string, unknown> & { sub: string };

/** Those of the ID token, whose signature, issuer, audience, nonce and age the library checks, and of userinfo. */
async function readClaims(
  settings: Settings,
  request: Request,
  attempt: z.infer<typeof attemptSchema>,
): Promise<Claims> {
  const provider = await discover(settings);
  const url = new URL(`${siteOf(request.headers)}${CALLBACK}${new URL(request.url).search}`);
  const tokens = await client.authorizationCodeGrant(provider, url, {
    expectedState: attempt.state,
    expectedNonce: attempt.nonce,
    pkceCodeVerifier: attempt.verifier,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  if (!claims) throw new SignInRefused("failed");
  const isAllSaid = [settings.groupClaim, "email", "email_verified"].every((name) => name in claims);
  if (isAllSaid || !provider.serverMetadata().userinfo_endpoint) return claims as Claims;
  const more = await client.fetchUserInfo(provider, tokens.access_token, claims.sub);
  return { ...more, ...claims } as Claims;
}

/** The highest role of all groups; null: none of them has one. */
function roleOf(settings: Settings, claims: Claims): Role | null {
  const said = claims[settings.groupClaim];
  const groups = (Array.isArray(said) ? said : [said]).filter((group) => typeof group === "string");
  const roles = groups.flatMap((group) => (Object.hasOwn(settings.roles, group) ? [settings.roles[group]] : []));
  return [...ROLES].reverse().find((one) => roles.includes(one)) ?? null;
}
