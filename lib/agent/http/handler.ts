/** One request from its first byte to its last: address, token, bounds, then the contract. */
import { randomUUID } from "node:crypto";
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { OpenAPIHandler } from "@orpc/openapi/node";
import { ORPCError } from "@orpc/server";
import type { Logger } from "pino";
import { AGENT_TIME } from "#contract/agent.ts";
import { BodyTooLarge, findStrays, invalidInput } from "#contract/offences.ts";
import { PROBLEMS, ProblemError } from "#contract/problem.ts";
import type { AgentConfig } from "../config.ts";
import type { HostDriver, HostState } from "../driver.ts";
import type { Pairing } from "../pairing/pairing.ts";
import { authorizedHash } from "./auth.ts";
import { readJsonBody } from "./body.ts";
import type { Metrics } from "./metrics.ts";
import { makeOpenApi } from "./openapi.ts";
import { toProblemError } from "./problems.ts";
import { AGENT_VERSION, type AgentContext, makeRouter } from "./router.ts";
import { PREFIX, type Route, routesAt } from "./routes.ts";

type Parts = {
  config: AgentConfig;
  driver: HostDriver;
  pairing: Pairing;
  metrics: Metrics;
  log: Logger;
  shutdown: AbortSignal;
};
/** Who is being paired has no token yet; the proof in the body stands for it. */
const PAIR = `${PREFIX}/pair`;

type Request = IncomingMessage & { body?: unknown };

const TRACE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The caller's id of the request, so that both logs tell of the same; what is no such id is not repeated anywhere. */
const readTraceId = (sent: string | string[] | undefined): string =>
  typeof sent === "string" && TRACE_ID.test(sent) ? sent : randomUUID();

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

function sendProblem(response: ServerResponse, error: ProblemError, traceId: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const problem = error.toProblem(traceId);
  if (error.code === "unauthenticated") response.setHeader("www-authenticate", "Bearer");
  // The rest of a body that is too large is not read: the connection cannot be used again.
  if (error instanceof BodyTooLarge) response.setHeader("connection", "close");
  send(response, problem.status, "application/problem+json", JSON.stringify(problem));
}

/** The address of an origin-form target. Anything else (absolute form, `//host`, broken escapes) is not for us. */
function readAddress(target: string | undefined): URL {
  if (target?.startsWith("/") && !target.startsWith("//")) {
    const url = URL.parse(`http://agent${target}`);
    if (url !== null && url.host === "agent") return url;
  }
  throw new ProblemError("malformed", "The request's address cannot be read.");
}

/** What Node itself refuses before there is a request: broken HTTP, too large a head, too slow. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [code, detail] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? (["too_large", "The request's head is too large."] as const)
      : (["malformed", "The request cannot be read, or did not arrive in time."] as const);
  const problem = new ProblemError(code, detail).toProblem(randomUUID());
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function assertMethod(request: IncomingMessage, response: ServerResponse, allowed: string[]): void {
  if (allowed.includes(request.method ?? "")) return;
  response.setHeader("allow", allowed.join(", "));
  throw new ProblemError("method_not_allowed", `This address takes ${allowed.join(", ")}.`);
}

/** oRPC's handler; whatever is thrown inside leaves it as a problem. */
function makeContractHandler({ config, driver, pairing, log }: Parts) {
  return new OpenAPIHandler<AgentContext>(makeRouter(config, driver, pairing), {
    customErrorResponseBodyEncoder: (error) => error.data,
    clientInterceptors: [
      async (options) => {
        try {
          return await options.next();
        } catch (thrown) {
          const error = toProblemError(thrown);
          const { traceId } = options.context;
          if (error.code === "internal") log.error({ traceId, err: thrown }, "request failed");
          const data = error.toProblem(traceId);
          throw new ORPCError(error.code, { status: PROBLEMS[error.code].status, message: error.message, data });
        }
      },
    ],
    rootInterceptors: [
      async (options) => {
        const result = await options.next();
        if (!result.matched || result.response.status < 400) return result;
        // A stream keeps the content type that we set; anything else would be sent as application/json.
        const body = new Response(JSON.stringify(result.response.body)).body ?? undefined;
        const headers = { ...result.response.headers, "content-type": "application/problem+json" };
        return { ...result, response: { ...result.response, headers, body: body as never } };
      },
    ],
  });
}

/** The request listener of the agent. */
export function makeHandler(parts: Parts) {
  const { config, driver, pairing, metrics, log, shutdown } = parts;
  const contract = makeContractHandler(parts);
  let openApi: Promise<unknown> | null = null;
  let hostState: { at: number; state: Promise<HostState> } | null = null;

  /** At most one look a second: readiness is asked without a token. */
  function readHostState(): Promise<HostState> {
    if (hostState === null || Date.now() - hostState.at > 1_000) hostState = { at: Date.now(), state: driver.host() };
    return hostState.state;
  }

  /** Outside `/v1` and without a token: nothing here tells more than that the agent runs. */
  async function serveRoot(pathname: string, request: Request, response: ServerResponse): Promise<string | null> {
    if (!["/healthz", "/readyz", "/metrics"].includes(pathname)) return null;
    assertMethod(request, response, ["GET", "HEAD"]);
    if (pathname === "/metrics") {
      send(response, 200, metrics.registry.contentType, await metrics.registry.metrics());
    } else if (pathname === "/healthz") {
      send(response, 200, "application/json", JSON.stringify({ status: "ok", checks: {} }));
    } else {
      const { connection } = await readHostState();
      const ready = connection.state === "connected";
      const body = { status: ready ? "ok" : "degraded", checks: { libvirt: connection.state } };
      send(response, ready ? 200 : 503, "application/json", JSON.stringify(body));
    }
    return pathname;
  }

  async function serveContract(
    { routes, query }: { routes: Route[]; query: URLSearchParams },
    request: Request,
    response: ServerResponse,
    caller: { traceId: string; tokenSha256: string },
  ) {
    assertMethod(
      request,
      response,
      routes.map((route) => route.method),
    );
    const body = request.method === "GET" ? {} : await readJsonBody(request);
    if (request.method !== "GET") request.body = body;
    const strays = routes.flatMap((route) => (route.method === request.method ? findStrays(route, query, body) : []));
    if (strays.length > 0) throw invalidInput(strays);
    const context = { ...caller, shutdown };
    const { matched } = await contract.handle(request, response, { prefix: PREFIX, context });
    if (!matched) throw new ProblemError("not_found", "There is no such address.");
  }

  async function serve(request: Request, response: ServerResponse, traceId: string): Promise<string> {
    const { pathname, searchParams: query } = readAddress(request.url);
    const root = await serveRoot(pathname, request, response);
    if (root !== null) return root;
    if (pathname === `${PREFIX}/openapi.json`) {
      assertMethod(request, response, ["GET", "HEAD"]);
      openApi ??= makeOpenApi(AGENT_VERSION);
      send(response, 200, "application/json", JSON.stringify(await openApi));
      return pathname;
    }
    const known = [...config.tokenSha256, ...pairing.tokens.hashes()];
    const tokenSha256 = authorizedHash(request.headers.authorization, known);
    if (pathname.startsWith(`${PREFIX}/`) && pathname !== PAIR && tokenSha256 === null) {
      throw new ProblemError("unauthenticated", "Send a token that this agent knows as 'Authorization: Bearer …'.");
    }
    const routes = routesAt(pathname);
    if (routes.length === 0) throw new ProblemError("not_found", "There is no such address.");
    await serveContract({ routes, query }, request, response, { traceId, tokenSha256: tokenSha256 ?? "" });
    return routes[0]?.template ?? pathname;
  }

  return async (request: Request, response: ServerResponse): Promise<void> => {
    const traceId = readTraceId(request.headers["x-trace-id"]);
    const began = performance.now();
    response.setHeader("x-trace-id", traceId);
    response.setHeader(AGENT_TIME, new Date().toISOString());
    response.setHeader("cache-control", "no-store");
    let route = "other";
    try {
      route = await serve(request, response, traceId);
    } catch (thrown) {
      const error = toProblemError(thrown);
      // A client that went away in the middle of its request is no fault of ours.
      if (error.code === "internal" && !request.destroyed) log.error({ traceId, err: thrown }, "request failed");
      sendProblem(response, error, traceId);
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      log.info({ traceId, method: request.method, route, status: response.statusCode }, "request");
    }
    metrics.observeRequest(route, request.method ?? "", response.statusCode, (performance.now() - began) / 1000);
  };
}
