/** An identity provider on loopback (`oidc-provider`) and a browser that signs in there without being asked anything. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

/** What the provider knows of somebody; `sub` is the id that never changes. */
export type Known = { sub: string; email?: string; email_verified?: boolean; name?: string; groups?: unknown };

export type IdentityProvider = {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Who sits at the browser, as of the next sign-in. */
  person: Known;
  /** True: publishes keys that it does not sign with. */
  showsWrongKeys: boolean;
  /** Follows the provider's pages from the address that Driftline gave to the address it sends the browser back to. */
  visit: (url: string) => Promise<URL>;
  close: () => Promise<void>;
};

const newKey = (kid: string) => ({
  ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }),
  kid,
  use: "sig",
  alg: "RS256",
});

export async function startIdentityProvider(redirectUri: string): Promise<IdentityProvider> {
  let answer = (_request: IncomingMessage, response: ServerResponse): unknown => response.writeHead(503).end();
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const self: IdentityProvider = {
    issuer,
    clientId: "driftline",
    clientSecret: randomUUID(),
    person: { sub: "nobody" },
    showsWrongKeys: false,
    visit: (url) => visit(issuer, url),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const provider = new Provider(issuer, {
    clients: [{ client_id: self.clientId, client_secret: self.clientSecret, redirect_uris: [redirectUri] }],
    jwks: { keys: [newKey("used")] },
    cookies: { keys: [randomUUID()] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ ...self.person, sub }) }),
  });
  const pages = provider.callback();
  const { d: _private, p, q, dp, dq, qi, ...wrong } = newKey("used") as Record<string, unknown>;
  answer = async (request, response) => {
    if (request.url === "/jwks" && self.showsWrongKeys) {
      response.writeHead(200, { "content-type": "application/jwk-set+json" }).end(JSON.stringify({ keys: [wrong] }));
    } else if (request.url?.startsWith("/interaction/")) {
      const { params } = await provider.interactionDetails(request, response);
      const accountId = self.person.sub;
      const grant = new provider.Grant({ accountId, clientId: self.clientId });
      grant.addOIDCScope(String(params.scope));
      const result = { login: { accountId }, consent: { grantId: await grant.save() } };
      await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    } else {
      await pages(request, response);
    }
  };
  return self;
}

async function visit(issuer: string, from: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(from);
  for (let step = 0; step < 10 && url.origin === issuer; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie } });
    const text = await response.text();
    for (const line of response.headers.getSetCookie()) {
      const [name = "", value = ""] = (line.split(";")[0] ?? "").split(/=(.*)/s);
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (!location) throw new Error(`the provider stays at ${url.pathname} with ${response.status}: ${text}`);
    url = new URL(location, url);
  }
  return url;
}
