/** What can go wrong between engine and agent, typed once. */
import type { ObserveError } from "#chain/model.ts";
import { type Problem, problemSchema } from "#contract/problem.ts";

/** The agent answered with an error. `problem` is null when the answer was not one of ours. */
export class AgentRefusal extends Error {
  readonly status: number;
  readonly problem: Problem | null;

  constructor(status: number, problem: Problem | null) {
    super(problem?.detail ?? `The agent answered with status ${status}.`);
    this.name = "AgentRefusal";
    this.status = status;
    this.problem = problem;
  }
}

/** The answer ended before it was complete, or nothing more came: what is missing is unknown. */
export class AgentCutOff extends Error {
  constructor(words = "The agent's answer ended before it was complete.") {
    super(words);
    this.name = "AgentCutOff";
  }
}

/** Who answers shows another certificate than the one that was pinned. Nothing was sent. */
export class WrongCertificate extends Error {
  constructor(shown: string) {
    super(`It shows ${/^[0-9a-f]+$/.test(shown) ? `the certificate ${shown}…` : shown}.`);
    this.name = "WrongCertificate";
  }
}

/** A host's token cannot be opened here, so nothing was asked. */
export class SealBroken extends Error {
  constructor(words: string) {
    super(words);
    this.name = "SealBroken";
  }
}

export async function readRefusal(response: { status: number; text: () => Promise<string> }): Promise<AgentRefusal> {
  const text = await response.text().catch(() => "");
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON: a proxy's page, say.
  }
  const parsed = problemSchema.safeParse(body);
  return new AgentRefusal(response.status, parsed.success ? parsed.data : null);
}

/** Whether a failure came from the agent or the way to it, and not from us or our database. */
export function isAgentFailure(error: unknown): boolean {
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    if (e instanceof AgentRefusal || e instanceof AgentCutOff) return true;
    if (e instanceof WrongCertificate || e instanceof SealBroken) return true;
    if (["ORPCError", "ValidationError", "AbortError", "TimeoutError", "ErrorEvent"].includes(e.name)) return true;
    if (e instanceof TypeError && /fetch failed|terminated/.test(e.message)) return true;
    if (String((e as { code?: unknown }).code).startsWith("UND_ERR_")) return true;
  }
  return false;
}

/** The innermost words of an error: `fetch failed` says nothing, its cause does. */
function rootWords(error: unknown): string {
  let words = String(error);
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code;
    words = typeof code === "string" && !e.message.includes(code) ? `${code} ${e.message}` : e.message;
  }
  return words.slice(0, 1_000);
}

const isTimeout = (error: unknown): boolean => {
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    if (e.name === "TimeoutError" || /timeout/i.test(String((e as { code?: unknown }).code))) return true;
  }
  return false;
};

/** Any failure of a call to an agent as a reason for which nothing is known. */
export function toObserveError(error: unknown, hostName: string): ObserveError {
  if (error instanceof AgentRefusal) {
    const { problem, status } = error;
    if (status === 401 || status === 403) {
      const message = `The agent on ${hostName} does not take this engine's token.`;
      return { code: "agent-refused", message, hostMessage: problem?.detail ?? null, retryable: false };
    }
    const hostMessage = problem?.hostMessage ?? problem?.detail ?? null;
    const message = `The agent on ${hostName} answered with an error (${problem?.code ?? status}).`;
    return { code: "agent-refused", message, hostMessage, retryable: problem?.retryable ?? status >= 500 };
  }
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    if (e instanceof WrongCertificate) {
      const message = `Who answers at ${hostName}'s address does not show the certificate that was pinned when it was paired. Nothing was sent to it.`;
      return { code: "agent-refused", message, hostMessage: e.message, retryable: false };
    }
    if (e instanceof SealBroken) {
      const message = `The token of ${hostName} cannot be opened by this server.`;
      return { code: "agent-refused", message, hostMessage: e.message, retryable: false };
    }
  }
  const late = isTimeout(error);
  const message = late
    ? `The agent on ${hostName} did not answer in time.`
    : `The agent on ${hostName} cannot be reached.`;
  return { code: late ? "timeout" : "agent-unreachable", message, hostMessage: rootWords(error), retryable: true };
}
