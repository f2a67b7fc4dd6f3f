import type { Problem, ProblemCode } from "#contract/problem.ts";

/** What a screen shows of a failure. `network`: no answer came back at all. */
export type ProblemView = {
  code: ProblemCode | "network";
  title: string;
  detail: string;
  retryable: boolean;
  traceId: string | null;
  hostMessage: string | null;
  /** Every offence of a request that was refused, in words. */
  errors: { field: string; reason: string }[];
};

/** Thrown by the browser's API client for every answer that is not a success. */
export class ApiProblem extends Error {
  readonly view: ProblemView;

  constructor(view: ProblemView) {
    super(view.detail);
    this.name = "ApiProblem";
    this.view = view;
  }
}

export const isProblem = (body: unknown): body is Problem =>
  typeof body === "object" && body !== null && "code" in body && "detail" in body && "traceId" in body;

/** Reads an error answer. One that is not ours (a proxy's page, say) becomes `unavailable` with its status. */
export async function readProblem(response: Response): Promise<ApiProblem> {
  const body: unknown = await response.json().catch(() => null);
  if (isProblem(body)) {
    const { code, title, detail, retryable, traceId, hostMessage = null, errors = [] } = body;
    return new ApiProblem({ code, title, detail, retryable, traceId, hostMessage, errors });
  }
  return new ApiProblem({
    code: response.status === 401 ? "unauthenticated" : response.status === 404 ? "not_found" : "unavailable",
    title: "The answer cannot be read",
    detail: `The server answered with status ${response.status} and no explanation.`,
    retryable: response.status >= 500,
    traceId: response.headers.get("x-trace-id"),
    hostMessage: null,
    errors: [],
  });
}

/** Code of this page that was wanted later and did not come. */
export const isChunkFailure = (error: unknown): boolean => error instanceof Error && error.name === "ChunkLoadError";

/** Any thrown value as something to show; never loses the code of a known problem. */
export function toProblemView(error: unknown): ProblemView {
  if (error instanceof ApiProblem) return error.view;
  if (error instanceof TypeError) {
    return {
      code: "network",
      title: "No answer from the server",
      detail: "The request did not get through. What is shown may be old.",
      retryable: true,
      traceId: null,
      hostMessage: null,
      errors: [],
    };
  }
  // A chunk that could not be fetched: the bundler remembers that, so that only loading the page again helps.
  if (isChunkFailure(error)) {
    return {
      code: "network",
      title: "A part of the page did not arrive",
      detail: "The network was away, or Driftline was updated while this page stood open. Loading it again brings it.",
      retryable: true,
      traceId: null,
      hostMessage: null,
      errors: [],
    };
  }
  return {
    code: "internal",
    title: "Something failed on this page",
    detail: error instanceof Error ? error.message : String(error),
    retryable: true,
    traceId: null,
    hostMessage: null,
    errors: [],
  };
}

/** A failure as text, for whoever is asked about it: `what` did not work, and everything that is known of why. */
export function problemText(what: string, error: unknown): string {
  const { title, detail, code, traceId, hostMessage } = toProblemView(error);
  const known = [`${what}: ${title}`, detail, `code: ${code}`, `trace: ${traceId ?? "none"}`];
  return [...known, ...(hostMessage ? [`host: ${hostMessage}`] : []), `at: ${new Date().toISOString()}`].join("\n");
}

/** Retrying is useful only where the same request may succeed later. */
export function shouldRetry(failureCount: number, error: unknown): boolean {
  return failureCount < 2 && toProblemView(error).retryable;
}
