/** The engine's API as a program calls it: typed by the contract, with an API key. */
import { createORPCClient } from "@orpc/client";
import type { ContractRouterClient } from "@orpc/contract";
import type { JsonifiedClient } from "@orpc/openapi-client";
import { OpenAPILink } from "@orpc/openapi-client/fetch";
import { engineContract } from "#contract/engine.ts";

export type EngineClient = JsonifiedClient<ContractRouterClient<typeof engineContract>>;

/** `url` is the address of the web process, without `/api/v1`. */
export function connectEngine(url: string, apiKey: string): EngineClient {
  const link = new OpenAPILink(engineContract, {
    url: `${url}/api/v1`,
    headers: () => ({ authorization: `Bearer ${apiKey}` }),
  });
  return createORPCClient(link);
}

/** Asks again until `look` answers something, or throws `what` with the last answer when the time is up. */
export async function waitFor<T>(
  what: string,
  deadlineMs: number,
  look: () => Promise<{ done: T } | { notYet: unknown }>,
): Promise<T> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    const answer = await look();
    if ("done" in answer) return answer.done;
    if (Date.now() > until)
      throw new Error(`${what} within ${deadlineMs} ms; last seen: ${JSON.stringify(answer.notYet)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
