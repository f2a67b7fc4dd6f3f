/** The contract's addresses, to tell an unknown one from a known one asked with the wrong method. */
import { agentContract } from "#contract/agent.ts";

export const PREFIX = "/v1";

export type Route = { name: string; method: string; template: string; pattern: RegExp; params: string[] };

function toRoute([name, procedure]: [string, (typeof agentContract)[keyof typeof agentContract]]): Route {
  const { method = "POST", path = `/${name}` } = procedure["~orpc"].route;
  const pattern = path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{[^}]+\}/g, "[^/]+");
  const params = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? "");
  return { name, method, template: `${PREFIX}${path}`, pattern: new RegExp(`^${PREFIX}${pattern}$`), params };
}

const ROUTES: Route[] = Object.entries(agentContract).map(toRoute);

export const routesAt = (pathname: string): Route[] => ROUTES.filter((route) => route.pattern.test(pathname));
