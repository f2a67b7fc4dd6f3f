/** The engine's way to one agent: the typed contract over http, https with a pinned CA, or a unix socket. */
import { createORPCClient } from "@orpc/client";
import type { ContractRouterClient } from "@orpc/contract";
import { OpenAPILink } from "@orpc/openapi-client/fetch";
import { Agent, fetch as undiciFetch } from "undici";
import { agentContract } from "#contract/agent.ts";
import { readRefusal } from "./failure.ts";

export type AgentApi = ContractRouterClient<typeof agentContract>;
export type AgentAddress = { url: string; token: string; ca?: string };
export type AgentClient = { api: AgentApi; close: () => Promise<void> };

const CONNECT_MS = 5_000;
/** Until the head of the answer; streams then go on as long as they send. */
const ANSWER_MS = 45_000;
const CONNECTIONS = 8;
/** Calls that change a host answer when they are done, which their caller bounds; a long chain takes its time. */
const isLong = (method: string, url: string) => method !== "GET" && /\/(checkpoints|bitmaps|backups)(\/|$)/.test(url);

/** Opens nothing yet. The token travels in a header only, and never to a redirect's address. */
export function createAgentClient(address: AgentAddress): AgentClient {
  const socketPath = address.url.startsWith("unix:") ? address.url.slice("unix:".length) : undefined;
  const open = (headersTimeout: number) =>
    new Agent({
      connections: CONNECTIONS,
      connect: {
        timeout: CONNECT_MS,
        ...(socketPath ? { socketPath } : {}),
        ...(address.ca ? { ca: address.ca } : {}),
      },
      headersTimeout,
      // Between two chunks of a stream; agents send a comment every few seconds.
      bodyTimeout: 60_000,
    });
  const short = open(ANSWER_MS);
  const long = open(0);
  const base = socketPath ? "http://localhost" : address.url.replace(/\/$/, "");
  const link = new OpenAPILink(agentContract, {
    url: `${base}/v1`,
    headers: { authorization: `Bearer ${address.token}` },
    // undici's own fetch: Next replaces the global one, and that one takes no dispatcher of this version.
    fetch: async (request) => {
      const body = request.body ? await request.text() : undefined;
      const response = await undiciFetch(request.url, {
        method: request.method,
        headers: Object.fromEntries(request.headers),
        body,
        signal: request.signal,
        redirect: "error",
        dispatcher: isLong(request.method, new URL(request.url).pathname) ? long : short,
      });
      if (!response.ok) throw await readRefusal(response);
      return response as unknown as Response;
    },
  });
  return {
    api: createORPCClient(link),
    close: async () => void (await Promise.all([short.destroy(), long.destroy()])),
  };
}
