/** Which addresses there are, and which methods each takes: for 404 and 405 before anything else is looked at. */
import { type AnyContractRouter, isContractProcedure } from "@orpc/contract";
import { engineContract } from "#contract/engine.ts";

export type Route = { method: string; pattern: RegExp; params: string[]; call: string };

function collect(router: AnyContractRouter, path: string[]): Route[] {
  if (isContractProcedure(router)) {
    const { method = "POST", path: template = "/" } = router["~orpc"].route;
    const params = [...template.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? "");
    const source = template.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&").replaceAll(/\{[^}]+\}/g, "([^/]+)");
    return [{ method, pattern: new RegExp(`^${source}$`), params, call: path.join(".") }];
  }
  return Object.entries(router).flatMap(([key, value]) => collect(value as AnyContractRouter, [...path, key]));
}

export const ROUTES: readonly Route[] = collect(engineContract, []);

/** The routes at an address below `/api/v1`, whatever their method. */
export const routesAt = (pathname: string): Route[] => ROUTES.filter((route) => route.pattern.test(pathname));
