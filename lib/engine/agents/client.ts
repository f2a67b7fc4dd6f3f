/** The engine's way to one agent: the typed contract over https with a pinned certificate or CA, http, or a socket. */
import { createORPCClient } from "@orpc/client";
import type { ContractRouterClient } from "@orpc/contract";
import { OpenAPILink } from "@orpc/openapi-client/fetch";
import { Agent, fetch as undiciFetch } from "undici";
import { AGENT_TIME, agentContract } from "#contract/agent.ts";
import { traceIdNow } from "../trace.ts";
import { AgentClock } from "./clock.ts";
import { readRefusal } from "./failure.ts";
import { pinnedConnector } from "./pin.ts";

export type AgentApi = ContractRouterClient<typeof agentContract>;
export type AgentAddress = {
  url: string;
  /** Asked for each call, so that a rotated token is used from the next one on. Null: this call goes without. */
  token: string | (() => string | null);
  ca?: string;
  /** The agent's own certificate, PEM: no other one is taken. */
  pin?: string;
  /** Reads the token again after a 401; when it has become another one, the call is made again. */
  renew?: () => Promise<void>;
};
export type AgentClient = { api: AgentApi; clock: AgentClock; close: () => Promise<void> };

const CONNECT_MS = 5_000;
/** Until the head of the answer; streams then go on as long as they send. */
const ANSWER_MS = 45_000;
const CONNECTIONS = 8;
/** Calls that change a host answer when they are done, which their caller bounds; a long chain takes its time. */
const isLong = (method: string, url: string) => method !== "GET" && /\/(checkpoints|bitmaps|backups)(\/|$)/.test(url);
const RENEWALS = 3;

/** Opens nothing yet. The token travels in a header only, and never to a redirect's address. */
export function createAgentClient(address: AgentAddress): AgentClient {
  const { pin, token, renew } = address;
  const socketPath = address.url.startsWith("unix:") ? address.url.slice("unix:".length) : undefined;
  const open = (headersTimeout: number) =>
    new Agent({
      connections: CONNECTIONS,
      connect: pin
        ? pinnedConnector(pin, CONNECT_MS)
        : {
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
  const clock = new AgentClock();
  const tokenNow = () => (typeof token === "string" ? token : token());
  const link = new OpenAPILink(agentContract, {
    url: `${base}/v1`,
    // undici's own fetch: Next replaces the global one, and that one takes no dispatcher of this version.
    fetch: async (request) => {
      const body = request.body ? await request.text() : undefined;
      const headers = { ...Object.fromEntries(request.headers), "x-trace-id": traceIdNow() };
      const send = async (sent: string | null) => {
        const askedAt = Date.now();
        const answer = await undiciFetch(request.url, {
          method: request.method,
          headers: sent === null ? headers : { ...headers, authorization: `Bearer ${sent}` },
          body,
          signal: request.signal,
          redirect: "error",
          dispatcher: isLong(request.method, new URL(request.url).pathname) ? long : short,
        });
        clock.note(answer.headers.get(AGENT_TIME), askedAt, Date.now());
        return answer;
      };
      let sent = tokenNow();
      let response = await send(sent);
      for (let i = 0; i < RENEWALS && response.status === 401 && renew; i++) {
        // Rotated while the call was under way, here or by another process.
        if (tokenNow() === sent) await renew();
        if (tokenNow() === sent) break;
        await response.body?.cancel();
        sent = tokenNow();
        response = await send(sent);
      }
      if (!response.ok) throw await readRefusal(response);
      return response as unknown as Response;
    },
  });
  return {
    api: createORPCClient(link),
    clock,
    close: async () => void (await Promise.all([short.destroy(), long.destroy()])),
  };
}
