import type { EngineHost } from "../state.ts";

/** The host as it is, but for these of its agent's calls. */
export function withCalls(host: EngineHost, calls: object): EngineHost {
  const { agent } = host;
  const api = new Proxy(agent.api, { get: (all, name) => Reflect.get(name in calls ? calls : all, name) });
  return { ...host, agent: { ...agent, api } };
}
