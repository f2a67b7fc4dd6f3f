/** Everything that can be thrown while a request is served, as one of our problems. */
import { ORPCError } from "@orpc/client";
import { ValidationError } from "@orpc/contract";
import { z } from "zod";
import type { ObserveError, ObserveErrorCode } from "#chain/model.ts";
import { type ProblemCode, ProblemError } from "#contract/problem.ts";
import { isConnectionError } from "#db/index.ts";
import { AgentRefusal } from "./agents/failure.ts";

type Issue = {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
  readonly code?: unknown;
  readonly keys?: readonly string[];
};

/** `disks[0].target`; the whole body when the path is empty. */
export function fieldOf(path: Issue["path"]): string {
  let field = "";
  for (const part of path ?? []) {
    const key = typeof part === "object" ? part.key : part;
    field += typeof key === "number" ? `[${key}]` : `${field ? "." : ""}${String(key)}`;
  }
  return field || "body";
}

const MOST_OFFENCES = 200;

function offences(issues: readonly Issue[]): { field: string; reason: string }[] {
  return issues
    .flatMap((issue) =>
      issue.code === "unrecognized_keys" && issue.keys
        ? issue.keys.map((key) => ({ field: fieldOf([...(issue.path ?? []), key]), reason: "there is no such field" }))
        : [{ field: fieldOf(issue.path), reason: issue.message }],
    )
    .slice(0, MOST_OFFENCES);
}

export function invalidInput(errors: { field: string; reason: string }[]): ProblemError {
  const fields = [...new Set(errors.map((error) => error.field))].slice(0, 8).join(", ");
  return new ProblemError("invalid_input", `Not valid: ${fields}.`, { errors });
}

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
  if (error instanceof z.ZodError) return invalidInput(offences(error.issues as readonly Issue[]));
  if (error instanceof ORPCError) {
    if (error.code === "BAD_REQUEST") {
      return error.cause instanceof ValidationError
        ? invalidInput(offences(error.cause.issues as readonly Issue[]))
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
    ...(problem.errors ? { errors: problem.errors } : {}),
  });
}

const OF_READ: Record<ObserveErrorCode, ProblemCode> = {
  "agent-unreachable": "unavailable",
  "agent-refused": "unavailable",
  "libvirt-unreachable": "unavailable",
  "permission-denied": "cannot_tell",
  "image-locked": "cannot_tell",
  "image-missing": "cannot_tell",
  unreadable: "cannot_tell",
  "qmp-forbidden": "unsupported",
  "qmp-failed": "cannot_tell",
  timeout: "timeout",
  "lock-held": "vm_busy",
  "domain-changed": "cannot_tell",
  "tool-missing": "unsupported",
  "unsupported-source": "unsupported",
  internal: "cannot_tell",
};

/** A host that could not be read, as the answer to a request that needed it. */
export function ofRead(error: ObserveError, subject: string): ProblemError {
  return new ProblemError(OF_READ[error.code], error.message, { subject, hostMessage: error.hostMessage });
}
