"use client";
import { createORPCClient } from "@orpc/client";
import type { AnyContractRouter, ContractRouterClient } from "@orpc/contract";
import { OpenAPILink } from "@orpc/openapi-client/fetch";
import { createContext, useContext } from "react";
import type { engineContract } from "#contract/engine.ts";
import { readProblem } from "./problem.ts";

/** The engine API as typed calls; the server's own client has the same shape. */
export type EngineApi = ContractRouterClient<typeof engineContract>;

/**
 * The browser's client, same origin, session cookie.
 * `routes` is the minified contract (methods and paths): the schemas stay on the server and out of the bundle.
 */
export function createBrowserApi(routes: AnyContractRouter): EngineApi {
  const link = new OpenAPILink(routes, {
    url: () => `${window.location.origin}/api/v1`,
    fetch: async (request, init) => {
      const response = await fetch(request, { ...init, credentials: "same-origin" });
      if (!response.ok) throw await readProblem(response);
      return response;
    },
  });
  return createORPCClient(link);
}

const ApiContext = createContext<EngineApi | null>(null);
export const ApiProvider = ApiContext.Provider;

/** The API client of this page. */
export function useApi(): EngineApi {
  const api = useContext(ApiContext);
  if (!api) throw new Error("useApi needs an ApiProvider above it");
  return api;
}
