/** Who sent a request. One way for the API, the pages and the event streams. */
import { createHash } from "node:crypto";
import { ProblemError } from "#contract/problem.ts";
import { findApiKey, findUser, touchApiKey, touchSession } from "#db/index.ts";
import { type Actor, toRole } from "../actor.ts";
import type { Engine } from "../state.ts";
import { siteOf } from "./better-auth.ts";

export const sha256 = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex");

/** The actor of a request, or null when nobody is named. A key that is sent and not known is refused, not ignored. */
export async function authenticate(
  engine: Engine,
  headers: Headers,
): Promise<{ actor: Actor; by: "key" | "cookie" } | null> {
  const authorization = headers.get("authorization");
  if (authorization !== null) {
    const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
    const key = token ? await findApiKey(engine.db.orm, sha256(token)) : null;
    if (!key) throw new ProblemError("unauthenticated", "The API key is not known, was revoked or has expired.");
    await touchApiKey(engine.db.orm, key.id);
    return { actor: { kind: "program", name: key.name, role: toRole(key.role), scope: key.hosts }, by: "key" };
  }
  if (!headers.get("cookie")) return null;
  const session = await engine.auth.api.getSession({ headers });
  if (!session) return null;
  // The role as it is now: a session must not outlive a demotion.
  const user = await findUser(engine.db.orm, session.user.id);
  if (!user) return null;
  await touchSession(engine.db.orm, session.session.id);
  const { id: userId } = session.user;
  const actor: Actor = {
    kind: "person",
    name: user.email,
    role: toRole(user.role),
    userId,
    sessionId: session.session.id,
  };
  return { actor, by: "cookie" };
}

/**
 * A browser sends cookies along with requests that other sites make. Reads are safe; everything else must come from
 * a page of ours: the browser says so itself (Sec-Fetch-Site), or names the page's origin.
 */
export function assertSameSite(method: string, headers: Headers): void {
  if (method === "GET" || method === "HEAD") return;
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  const fromHere = site === null ? origin !== null && sameHost(origin, headers) : site === "same-origin";
  if (!fromHere || (origin !== null && !sameHost(origin, headers))) {
    throw new ProblemError("csrf_rejected", "The request did not come from a page of this site.");
  }
}

/** Hosts are compared, not schemes: a proxy may end TLS in front of us without saying so. */
function sameHost(origin: string, headers: Headers): boolean {
  const own = siteOf(headers);
  try {
    return own !== null && new URL(origin).host === new URL(own).host;
  } catch {
    return false;
  }
}
