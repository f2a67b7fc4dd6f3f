/** People: e-mail and password, sessions in our database. */
import { randomUUID } from "node:crypto";
import { betterAuth } from "better-auth";
import { PASSWORD_LENGTH } from "#contract/password.ts";
import { authStorage, type Db, findUser, sharedSecret, type Tx, writeAudit } from "#db/index.ts";
import { traceIdNow } from "../trace.ts";
import { DEVICE_SECRET } from "./device.ts";
import { sessionOpener } from "./open-session.ts";

/** Marks cookies as Secure where the person came over TLS, which only the proxy in front of us knows. */
export function secureCookies(request: Request, response: Response): Response {
  const cookies = response.headers.getSetCookie();
  if (request.headers.get("x-forwarded-proto") !== "https" || cookies.length === 0) return response;
  const headers = new Headers(response.headers);
  headers.delete("set-cookie");
  for (const cookie of cookies) headers.append("set-cookie", /;\s*secure/i.test(cookie) ? cookie : `${cookie}; Secure`);
  return new Response(response.body, { status: response.status, headers });
}

/** Where a connection comes from: the socket's address, or what the TLS proxy in front of us says of it. */
export const PEER_HEADER = "x-driftline-peer";

const SESSION_SECONDS = 12 * 3_600;

/** Where this request came in, as the person's browser sees it; behind a proxy, as the proxy says. */
export function siteOf(headers: Headers): string | null {
  const host = headers.get("x-forwarded-host") ?? headers.get("host");
  if (!host) return null;
  return `${headers.get("x-forwarded-proto") ?? "http"}://${host}`;
}

async function auditSignIn(tx: Tx, userId: string): Promise<void> {
  const user = await findUser(tx, userId);
  await writeAudit(tx, {
    actor: user?.email ?? `user:${userId}`,
    role: user?.role ?? null,
    action: "auth.sign-in",
    subject: userId,
    outcome: "done",
    detail: null,
    traceId: traceIdNow(),
  });
}

export async function createAuth(db: Db) {
  const secret = await sharedSecret(db.orm, "better-auth");
  await sharedSecret(db.orm, DEVICE_SECRET);
  return betterAuth({
    appName: "Driftline",
    secret,
    basePath: "/api/auth",
    database: authStorage(db, auditSignIn),
    plugins: [sessionOpener()],
    telemetry: { enabled: false },
    logger: { level: "error" },
    // Only pages of this very site; there is no list to keep.
    trustedOrigins: (request) => {
      const site = request ? siteOf(request.headers) : null;
      return site ? [site] : [];
    },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: PASSWORD_LENGTH.min,
      maxPasswordLength: PASSWORD_LENGTH.max,
    },
    user: { additionalFields: { role: { type: "string", required: false, defaultValue: "viewer", input: false } } },
    session: { expiresIn: SESSION_SECONDS, updateAge: 3_600 },
    // By address; by account: attempts.ts.
    rateLimit: {
      enabled: true,
      storage: "database",
      window: 60,
      max: 300,
      customRules: { "/sign-in/email": { window: 60, max: 10 } },
    },
    advanced: {
      database: { generateId: () => randomUUID() },
      cookiePrefix: "driftline",
      // Over plain http on this machine a Secure cookie is dropped by some browsers; `secureCookies` marks the others.
      useSecureCookies: false,
      defaultCookieAttributes: { sameSite: "strict", httpOnly: true },
      // Set by our own process on every connection (lib/run/peer-address.ts), never by who asks.
      ipAddress: { ipAddressHeaders: [PEER_HEADER] },
    },
    databaseHooks: {
      session: {
        create: {
          // Whatever way somebody came: a disabled person gets no session.
          before: async (session) => ((await findUser(db.orm, session.userId)) ? undefined : false),
        },
      },
    },
  });
}
export type Auth = Awaited<ReturnType<typeof createAuth>>;
