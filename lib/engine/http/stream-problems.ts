import { ORPCError } from "@orpc/server";
import { PROBLEMS } from "#contract/problem.ts";
import { toProblem } from "../problems.ts";

/** An error of ours as the HTTP layer sends it: status, code and the whole problem. */
export function toHttpError(error: unknown, traceId: string) {
  const problem = toProblem(error);
  const { status } = PROBLEMS[problem.code];
  return new ORPCError(problem.code, { status, message: problem.message, data: problem.toProblem(traceId) });
}

/** What a call answers, where that streams with its failures told as problems too: they come after the status line. */
export function tellInStream(output: unknown, traceId: string): unknown {
  if (typeof output !== "object" || output === null || !(Symbol.asyncIterator in output)) return output;
  const items = output as AsyncIterable<unknown>;
  return (async function* () {
    try {
      yield* items;
    } catch (error) {
      throw toHttpError(error, traceId);
    }
  })();
}
