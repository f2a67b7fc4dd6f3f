import "server-only";
import { randomUUID } from "node:crypto";
import { createRouterClient } from "@orpc/server";
import { ProblemError } from "#contract/problem.ts";
import type { Actor } from "./actor.ts";
import { authenticate } from "./auth/authenticate.ts";
import { PEER_HEADER } from "./auth/better-auth.ts";
import { handleAuth } from "./auth/handle-auth.ts";
import { setUpFirstAdmin } from "./auth/setup.ts";
import { guard } from "./guard.ts";
import { handleApi, parseBody, problemResponse, readBody } from "./http/handle.ts";
import { acceptLink, describeLink } from "./people/links.ts";
import { toProblem } from "./problems.ts";
import { router } from "./router.ts";
import { type Engine, engineSlot } from "./state.ts";

export { health, metricsText, readiness } from "./health.ts";

/** The engine of this process. @throws ProblemError unavailable, while it has not started */
function requireEngine(): Engine {
  const { engine } = engineSlot();
  if (!engine) throw new ProblemError("unavailable", "The server is still starting, or its database does not answer.");
  return engine;
}

/** Who asks for a page; null: nobody is signed in. */
async function getActor(headers: Headers): Promise<Actor | null> {
  return (await authenticate(requireEngine(), new Headers(headers)))?.actor ?? null;
}

/**
 * The engine's calls for server components, with the rights of who asks and the same checks as over HTTP.
 * @throws ProblemError: `unauthenticated` when nobody is signed in, `unavailable` when the engine has not started
 */
export async function getEngineClient(headers: Headers) {
  const engine = requireEngine();
  const actor = await getActor(headers);
  if (!actor) throw new ProblemError("unauthenticated", "Nobody is signed in.");
  return createRouterClient(router, {
    context: { engine, actor, traceId: randomUUID() },
    interceptors: [
      (options) =>
        guard({ path: options.path, context: options.context, input: options.input, next: () => options.next() }),
    ],
  });
}

/** `/api/v1/*` */
export const serveApi = (request: Request): Promise<Response> => handleApi(engineSlot().engine, request);

/** `/api/auth/*`: sign-in and sign-out. */
export async function serveAuth(request: Request): Promise<Response> {
  const traceId = randomUUID();
  try {
    return await handleAuth(requireEngine(), request, traceId);
  } catch (error) {
    return problemResponse(toProblem(error), traceId);
  }
}

/** `POST /api/setup`: makes the first admin with the one-time link. */
export const serveSetup = (request: Request): Promise<Response> => serveLink(request, "auth.setup", setUpFirstAdmin);

/** `POST /api/welcome`: sets the password of who was invited, or lost it. */
export const serveWelcome = (request: Request): Promise<Response> => serveLink(request, "auth.link", acceptLink);

/** Whom a one-time link is for; null: it does not work. @throws ProblemError unavailable */
export const describeWelcome = (token: string) => describeLink(requireEngine(), token);

export type { Refusal } from "./auth/oidc-person.ts";

/** What the sign-in page's button says; null: there is no identity provider. */
export const providerName = (): string | null => engineSlot().engine?.config.oidc?.name ?? null;

async function serveLink(
  request: Request,
  action: string,
  work: (engine: Engine, input: unknown, traceId: string, peer: string | null) => Promise<unknown>,
): Promise<Response> {
  const traceId = randomUUID();
  try {
    const engine = requireEngine();
    try {
      const input = parseBody(await readBody(request), request.headers.get("content-type"));
      await work(engine, input, traceId, request.headers.get(PEER_HEADER));
    } catch (error) {
      const problem = toProblem(error);
      if (problem.code === "forbidden" || problem.code === "rate_limited") {
        const detail = problem.code === "forbidden" ? "the one-time link was not valid" : problem.message;
        await engine.refusals.note({
          actor: "anonymous",
          role: null,
          action,
          subject: null,
          detail,
          code: problem.code,
          traceId,
        });
      }
      throw problem;
    }
    return Response.json({ ok: true }, { status: 201, headers: { "cache-control": "no-store" } });
  } catch (error) {
    return problemResponse(toProblem(error), traceId);
  }
}
