import type { AnyContractRouter } from "@orpc/contract";
import { readProblem } from "./problem.ts";
import { readEvents } from "./stream.ts";

/** What the minified contract says of one call. */
type Route = { method?: string; path?: string };

function routeAt(routes: AnyContractRouter, path: readonly string[]): Required<Route> {
  const found = path.reduce<unknown>(
    (node, key) => (typeof node === "object" && node !== null ? (node as Record<string, unknown>)[key] : undefined),
    routes,
  );
  const { method, path: template } = (found as { "~orpc"?: { route?: Route } } | undefined)?.["~orpc"]?.route ?? {};
  if (!template) throw new Error(`the contract has no call ${path.join(".")}`);
  return { method: method ?? "POST", path: template };
}

/**
 * The request of a call: parts named in the path go there, the rest into the query (GET, DELETE) or the body as JSON.
 * Queries of the contract are flat; anything else is a mistake of ours and throws.
 */
export function requestOf(routes: AnyContractRouter, path: readonly string[], input: unknown) {
  const { method, path: template } = routeAt(routes, path);
  const rest = new Map(Object.entries((input ?? {}) as Record<string, unknown>));
  const pathname = template.replace(/\{\+?(\w+)\}/g, (_, name: string) => {
    const value = rest.get(name);
    rest.delete(name);
    if (typeof value !== "string" || value === "") throw new Error(`${path.join(".")} needs ${name}`);
    return encodeURIComponent(value);
  });
  if (method !== "GET" && method !== "DELETE") {
    return { method, url: `/api/v1${pathname}`, body: JSON.stringify(Object.fromEntries(rest)) };
  }
  const query = new URLSearchParams();
  for (const [name, value] of rest) {
    if (value === undefined) continue;
    if (typeof value === "object") throw new Error(`${path.join(".")}: ${name} does not fit into a query`);
    query.set(name, String(value));
  }
  return { method, url: `/api/v1${pathname}${query.size > 0 ? `?${query}` : ""}`, body: undefined };
}

/** What a call may carry beside its input. */
export type CallOptions = { signal?: AbortSignal; context?: CallContext };
/** `idempotencyKey`: the same key again answers with what the first call did. */
export type CallContext = { idempotencyKey?: string };

/**
 * Makes a call over HTTP, same origin, with the session's cookie. An answer that streams becomes its events.
 * @throws ApiProblem for every answer but a success
 */
export async function callRoute(
  routes: AnyContractRouter,
  path: readonly string[],
  input: unknown,
  { signal, context }: CallOptions = {},
): Promise<unknown> {
  const { method, url, body } = requestOf(routes, path, input);
  const response = await fetch(url, {
    method,
    signal,
    credentials: "same-origin",
    ...(body === undefined ? {} : { body }),
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(context?.idempotencyKey ? { "idempotency-key": context.idempotencyKey } : {}),
    },
  });
  if (!response.ok) throw await readProblem(response);
  if (response.body && response.headers.get("content-type")?.startsWith("text/event-stream"))
    return readEvents(response.body);
  return response.status === 204 ? undefined : response.json();
}
