/** One API request from its first byte to its answer: address, who asks, from where, bounds, then the contract. */
import { randomUUID } from "node:crypto";
import { OpenAPIHandler } from "@orpc/openapi/fetch";
import { LIMITS } from "#chain/limits.ts";
import { IDEMPOTENCY_HEADER, IDEMPOTENCY_KEY } from "#contract/idempotency.ts";
import { BodyTooLarge, findStrays, invalidInput } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { actorName } from "../actor.ts";
import { assertSameSite, authenticate } from "../auth/authenticate.ts";
import { guard } from "../guard.ts";
import { log } from "../log.ts";
import { toProblem } from "../problems.ts";
import { router } from "../router.ts";
import type { Context, Engine } from "../state.ts";
import { withTrace } from "../trace.ts";
import { openApiDocument } from "./openapi.ts";
import { type Route, routesAt } from "./routes.ts";
import { tellInStream, toHttpError } from "./stream-problems.ts";

const PREFIX = "/api/v1";

const handler = new OpenAPIHandler<Context>(router, {
  clientInterceptors: [
    async (options) =>
      tellInStream(
        await guard({ path: options.path, context: options.context, input: options.input, next: () => options.next() }),
        options.context.traceId,
      ),
  ],
  interceptors: [
    async (options) => {
      try {
        return await options.next();
      } catch (error) {
        throw toHttpError(error, options.context.traceId);
      }
    },
  ],
  customErrorResponseBodyEncoder: (error) => error.data,
});

export function problemResponse(error: ProblemError, traceId: string, headers: Record<string, string> = {}): Response {
  const problem = error.toProblem(traceId);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      ...headers,
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-trace-id": traceId,
    },
  });
}

/** Time for a whole body to arrive. */
const BODY_MS = 30_000;

/** Reads at most the allowed bytes, whatever the header claims, and waits no longer than `limitMs` for them. */
export async function readBody(request: Request, limitMs = BODY_MS): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const slow = () => reject(new ProblemError("malformed", "The body did not arrive in time."));
    timer = setTimeout(slow, limitMs);
  });
  try {
    return await Promise.race([readAll(request), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > LIMITS.bodyBytes) throw new BodyTooLarge();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let size = 0;
  let text = "";
  try {
    for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > LIMITS.bodyBytes) throw new BodyTooLarge();
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError("malformed", "The body is cut off or is not UTF-8.");
  }
}

/** The body as an object; nothing at all counts as `{}`. */
export function parseBody(text: string, contentType: string | null): Record<string, unknown> {
  if (text.trim() === "") return {};
  if (!/^application\/json\s*(;|$)/i.test(contentType ?? "")) {
    throw new ProblemError("malformed", "The body must be sent as application/json.");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProblemError("malformed", "The body is not JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidInput([{ field: "body", reason: "must be an object" }]);
  }
  return value as Record<string, unknown>;
}

/** A zero byte cannot be stored in PostgreSQL and is no part of any name. */
function assertNoZeroBytes(route: Route, pathname: string, url: URL, text: string): void {
  const errors = [...url.searchParams]
    .filter(([key, value]) => key.includes("\0") || value.includes("\0"))
    .map(([key]) => ({ field: key.replaceAll("\0", ""), reason: "contains a zero byte" }));
  const values = route.pattern.exec(pathname)?.slice(1) ?? [];
  values.forEach((value, i) => {
    try {
      if (decodeURIComponent(value).includes("\0"))
        errors.push({ field: route.params[i] ?? "path", reason: "contains a zero byte" });
    } catch {
      errors.push({ field: route.params[i] ?? "path", reason: "is not valid percent-encoding" });
    }
  });
  if (text.includes("\\u0000")) errors.push({ field: "body", reason: "contains a zero byte" });
  if (errors.length > 0) throw invalidInput(errors);
}

async function serve(engine: Engine, request: Request, traceId: string): Promise<{ response: Response; call: string }> {
  const url = new URL(request.url);
  const pathname = url.pathname.slice(PREFIX.length).replace(/\/$/, "");
  const { method } = request;
  if (pathname === "/openapi.json") {
    if (method !== "GET" && method !== "HEAD") throw new ProblemError("method_not_allowed", "This address takes GET.");
    return { response: Response.json(await openApiDocument()), call: "openapi" };
  }
  const who = await authenticate(engine, request.headers);
  if (!who) throw new ProblemError("unauthenticated", "Sign in, or send an API key as 'Authorization: Bearer …'.");
  const idempotencyKey = readIdempotencyKey(request.headers);
  const reauthenticate = async () => (await authenticate(engine, request.headers))?.actor ?? null;
  const context: Context = { engine, actor: who.actor, traceId, idempotencyKey, reauthenticate };
  const routes = routesAt(pathname);
  const route = routes.find((one) => one.method === method);
  if (!route) {
    if (routes.length === 0) throw new ProblemError("not_found", "There is no such address.");
    const allow = routes.map((one) => one.method).join(", ");
    const refusal = new ProblemError("method_not_allowed", `This address takes ${allow}.`);
    return { response: problemResponse(refusal, traceId, { allow }), call: "other" };
  }
  if (who.by === "cookie") {
    try {
      assertSameSite(method, request.headers);
    } catch (error) {
      await refuse(context, route.call, error);
      throw error;
    }
  }
  const text = method === "GET" ? "" : await readBody(request);
  const body = parseBody(text, request.headers.get("content-type"));
  const strays = findStrays(route, url.searchParams, body);
  if (strays.length > 0) throw invalidInput(strays);
  assertNoZeroBytes(route, pathname, url, text);
  const inner = new Request(url, {
    method,
    headers: request.headers,
    signal: request.signal,
    ...(method === "GET" ? {} : { body: JSON.stringify(body), headers: withJson(request.headers) }),
  });
  const result = await handler.handle(inner, { prefix: PREFIX, context });
  if (!result.matched) throw new ProblemError("not_found", "There is no such address.");
  return { response: result.response, call: route.call };
}

/** Names one wish of a caller, so that asking again does not do it again. */
function readIdempotencyKey(headers: Headers): string | null {
  const key = headers.get(IDEMPOTENCY_HEADER);
  if (key === null) return null;
  if (IDEMPOTENCY_KEY.test(key)) return key;
  throw invalidInput([{ field: IDEMPOTENCY_HEADER, reason: "1 to 200 visible ASCII characters" }]);
}

function withJson(headers: Headers): Headers {
  const copy = new Headers(headers);
  copy.set("content-type", "application/json");
  copy.delete("content-length");
  return copy;
}

function refuse({ engine, actor, traceId }: Context, call: string, error: unknown): Promise<void> {
  const problem = toProblem(error);
  return engine.refusals.note({
    actor: actorName(actor),
    role: actor.role,
    action: call,
    subject: null,
    detail: problem.message,
    code: problem.code,
    traceId,
  });
}

/** Answers every request; throws nothing. */
export async function handleApi(engine: Engine | null, request: Request): Promise<Response> {
  const traceId = randomUUID();
  const began = performance.now();
  let call = "other";
  let response: Response;
  try {
    if (!engine)
      throw new ProblemError("unavailable", "The server is still starting, or its database does not answer.");
    const served = await withTrace(traceId, () => serve(engine, request, traceId));
    call = served.call;
    response = finish(served.response, traceId);
  } catch (error) {
    const problem = toProblem(error);
    if (problem.code === "internal") log.error({ traceId, err: error }, "a request failed");
    if (engine && problem.code === "unauthenticated") {
      const detail = `${request.method} ${new URL(request.url).pathname.slice(0, 200)}`;
      await engine.refusals.note({
        actor: "anonymous",
        role: null,
        action: "auth.required",
        subject: null,
        detail,
        code: problem.code,
        traceId,
      });
    }
    const headers: Record<string, string> = problem.code === "unauthenticated" ? { "www-authenticate": "Bearer" } : {};
    response = problemResponse(problem, traceId, headers);
  }
  // Changes leave a line, so that an agent's line with the same id can be led back to who asked.
  if (request.method !== "GET") log.info({ traceId, call, status: response.status }, "request");
  engine?.metrics.requests.observe({ call, status: String(response.status) }, (performance.now() - began) / 1_000);
  return response;
}

function finish(response: Response, traceId: string): Response {
  const headers = new Headers(response.headers);
  headers.set("x-trace-id", traceId);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  if (response.status >= 400) headers.set("content-type", "application/problem+json");
  if (headers.get("content-type")?.startsWith("text/event-stream")) headers.set("x-accel-buffering", "no");
  return new Response(response.body, { status: response.status, headers });
}
