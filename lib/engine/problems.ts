/** Everything that can be thrown while a request is served, as one of our problems. */
import { ORPCError } from "@orpc/client";
import { ValidationError } from "@orpc/contract";
import { z } from "zod";
import { invalidInput, type SchemaIssue, toOffences } from "#contract/offences.ts";
import { type ProblemCode, ProblemError } from "#contract/problem.ts";
import { isConnectionError } from "#db/index.ts";
import { AgentRefusal } from "./agents/failure.ts";

const OF_ORPC: Partial<Record<string, ProblemCode>> = {
  NOT_FOUND: "not_found",
  METHOD_NOT_SUPPORTED: "method_not_allowed",
  PAYLOAD_TOO_LARGE: "too_large",
  UNAUTHORIZED: "unauthenticated",
  FORBIDDEN: "forbidden",
};

/** The problem of anything thrown. What we do not know is our own failure: its words go to the log, not out. */
export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof z.ZodError) return invalidInput(toOffences(error.issues as readonly SchemaIssue[]));
  if (error instanceof ORPCError) {
    if (error.code === "BAD_REQUEST") {
      return error.cause instanceof ValidationError
        ? invalidInput(toOffences(error.cause.issues as readonly SchemaIssue[]))
        : new ProblemError("malformed", error.message);
    }
    const known = OF_ORPC[error.code];
    if (known) return new ProblemError(known, error.message);
  }
  if (error instanceof AgentRefusal && error.problem) return ofAgent(error.problem);
  if (isConnectionError(error)) return new ProblemError("unavailable", "The database does not answer.");
  return new ProblemError("internal", "Something failed on our side. The log has it under the trace id.");
}

/** An agent's refusal of a request that we passed on. Its 401 is about us, not about the person who asked. */
function ofAgent(problem: NonNullable<AgentRefusal["problem"]>): ProblemError {
  const code: ProblemCode = ["unauthenticated", "forbidden", "internal"].includes(problem.code)
    ? "unavailable"
    : problem.code;
  return new ProblemError(code, problem.detail, {
    subject: problem.subject,
    hostMessage: problem.hostMessage ?? null,
    retryable: problem.retryable,
    ...(problem.errors ? { errors: problem.errors } : {}),
  });
}
