/** Everything that can go wrong with a request, as the one shape of error answers. */
import { ORPCError, ValidationError } from "@orpc/contract";
import { invalidInput, problemOfRead, type SchemaIssue, toOffences } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { HostFailure } from "../failure.ts";

/** The problem of anything thrown; what we did not foresee says nothing of its inside. */
export function toProblemError(thrown: unknown): ProblemError {
  if (thrown instanceof ProblemError) return thrown;
  if (thrown instanceof HostFailure) {
    // Our own failure: a host that could be asked again later would be said otherwise.
    if (thrown.error.code !== "internal") return problemOfRead(thrown.error);
    return new ProblemError("internal", thrown.error.message, { hostMessage: thrown.error.hostMessage });
  }
  if (thrown instanceof ORPCError) {
    if (thrown.cause instanceof ValidationError && thrown.code === "BAD_REQUEST") {
      return invalidInput(toOffences(thrown.cause.issues as readonly SchemaIssue[]));
    }
    if (thrown.code === "BAD_REQUEST") return new ProblemError("malformed", "The request cannot be read.");
  }
  return new ProblemError("internal", "The agent failed on this request; its log has the trace id.");
}
