"use client";
import type { AnyContractRouter, ContractRouterClient } from "@orpc/contract";
import { createContext, useContext } from "react";
import type { engineContract } from "#contract/engine.ts";
import { type CallContext, type CallOptions, callRoute } from "./routes.ts";

/** The engine API as typed calls; the server's own client has the same shape. */
export type EngineApi = ContractRouterClient<typeof engineContract, CallContext>;
type Call = (path: readonly string[], input: unknown, options?: CallOptions) => Promise<unknown>;

/** `api.vms.chain(input, options)` becomes `call(["vms", "chain"], input, options)`. */
function recordPath(path: readonly string[], call: Call): unknown {
  return new Proxy(() => undefined, {
    get: (_, key) => (typeof key === "string" && key !== "then" ? recordPath([...path, key], call) : undefined),
    apply: (_, __, [input, options]: [unknown, CallOptions?]) => call(path, input, options),
  });
}

/**
 * The browser's client. `routes` is the minified contract (methods and paths): types come from the full one,
 * the schemas stay on the server and out of the bundle.
 */
export function createBrowserApi(routes: AnyContractRouter): EngineApi {
  return recordPath([], (path, input, options) => callRoute(routes, path, input, options)) as EngineApi;
}

const ApiContext = createContext<EngineApi | null>(null);
export const ApiProvider = ApiContext.Provider;

/** The API client of this page. */
export function useApi(): EngineApi {
  const api = useContext(ApiContext);
  if (!api) throw new Error("useApi needs an ApiProvider above it");
  return api;
}
