import { describe, expect, it } from "vitest";
import { HostFailure, observeError } from "#agent/failure.ts";
import { toProblemError } from "#agent/http/problems.ts";
import { OBSERVE_ERROR_CODES } from "#chain/model.ts";
import { AgentRefusal } from "../agents/failure.ts";
import { toProblem } from "../problems.ts";
import { StepFailed, TryAgain, toFailure } from "./failure.ts";

/** What the engine is told when an agent's host could not be read. */
function refusalOf(code: (typeof OBSERVE_ERROR_CODES)[number]) {
  const error = observeError(code, "It could not be read.", "the host's words");
  const problem = toProblemError(new HostFailure(error)).toProblem("t");
  return { error, refusal: new AgentRefusal(problem.status, problem) };
}

describe("a host that could not be read", () => {
  it.each(OBSERVE_ERROR_CODES)(
    "%s is retryable for who asked, and for a job, exactly when the agent says so",
    (code) => {
      const { error, refusal } = refusalOf(code);
      expect(toProblem(refusal).toProblem("t").retryable).toBe(error.retryable);
      const failure = toFailure(refusal, "host");
      expect(failure).toBeInstanceOf(error.retryable ? TryAgain : StepFailed);
      expect(failure).toMatchObject({ hostMessage: "the host's words" });
    },
  );

  it("ends a job at once when libvirt denies access: it will go on doing so", () => {
    expect(toFailure(refusalOf("permission-denied").refusal, "host")).toBeInstanceOf(StepFailed);
  });
});
