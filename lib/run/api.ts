/** The engine's API as a program calls it: typed by the contract, with an API key. */
import { randomUUID } from "node:crypto";
import { createORPCClient } from "@orpc/client";
import type { ContractRouterClient } from "@orpc/contract";
import type { JsonifiedClient } from "@orpc/openapi-client";
import { OpenAPILink } from "@orpc/openapi-client/fetch";
import { engineContract } from "#contract/engine.ts";
import type { JobView } from "#contract/engine-jobs.ts";
import type { PlanView } from "#contract/engine-plans.ts";
import type { Problem } from "#contract/problem.ts";

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

/** The engine would not run a plan; `problem` is its answer. */
export class PlanRefused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`the plan was refused: ${JSON.stringify(problem)}`);
    this.problem = problem;
  }
}

/**
 * Applies a plan the way a person does who read it: every loss accepted, the VM's name typed where it is asked for.
 * Answers the finished job. @throws PlanRefused, and an Error when the job takes too long
 */
export async function applyPlan(
  engine: { url: string; apiKey: string },
  plan: Pick<PlanView, "id" | "losses" | "confirm">,
  options: { key?: string; deadlineMs?: number } = {},
): Promise<JobView> {
  const body = {
    acknowledged: plan.losses.map(({ id }) => id),
    ...(plan.confirm === null ? {} : { confirm: plan.confirm }),
  };
  const answer = await fetch(`${engine.url}/api/v1/plans/${plan.id}/apply`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${engine.apiKey}`,
      "content-type": "application/json",
      "idempotency-key": options.key ?? randomUUID(),
    },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new PlanRefused((await answer.json()) as Problem);
  const started = (await answer.json()) as { id: string };
  const api = connectEngine(engine.url, engine.apiKey);
  return await waitFor<JobView>("the job should end", options.deadlineMs ?? 60_000, async () => {
    const job = (await api.jobs.get({ jobId: started.id })) as JobView;
    return job.endedAt === null ? { notYet: job } : { done: job };
  });
}
