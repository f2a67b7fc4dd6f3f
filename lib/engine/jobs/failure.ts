/** Why a step did not come to its end, typed once: for good, or worth another try. */
import type { HostError } from "#contract/agent-operations.ts";
import type { Problem } from "#contract/problem.ts";
import { isConnectionError, LeaseLost, RecordRefusal } from "#db/index.ts";
import { AgentRefusal, isAgentFailure, toObserveError } from "../agents/failure.ts";
import { log } from "../log.ts";

/** It will not work, however often it is tried: the job fails. */
export class StepFailed extends Error {
  readonly hostMessage: string | null;
  /** Targets that it is about, where the host named some. */
  readonly disks: string[];
  constructor(message: string, hostMessage: string | null = null, disks: string[] = []) {
    super(message);
    this.name = "StepFailed";
    this.hostMessage = hostMessage;
    this.disks = disks;
  }
}

/** The host does not know the VM (any more). */
export class UnknownToHost extends StepFailed {}

/** The agent has no such call. */
export class NotOffered extends StepFailed {}

/** It may work later. `isLost`: nobody answers for the host, so what it did meanwhile is unknown. */
export class TryAgain extends Error {
  readonly hostMessage: string | null;
  readonly isLost: boolean;
  constructor(message: string, hostMessage: string | null, isLost: boolean) {
    super(message);
    this.name = "TryAgain";
    this.hostMessage = hostMessage;
    this.isLost = isLost;
  }
}

/** The person asked for it, and the step was one that stops in the middle. */
export class Cancelled extends Error {
  constructor() {
    super("Cancelled.");
    this.name = "Cancelled";
  }
}

const LOST_CODES = new Set(["agent-unreachable", "libvirt-unreachable", "timeout"]);

/** What a host said of one item of a bulk call. */
export function ofHostError(error: HostError): StepFailed | TryAgain {
  const { code, message, hostMessage, retryable, disks } = error;
  return retryable
    ? new TryAgain(message, hostMessage, LOST_CODES.has(code))
    : new StepFailed(message, hostMessage, disks);
}

/** The host's own words, or those of the offences, where an agent refused. */
function wordsOf(problem: Problem): string | null {
  const offences = problem.errors?.map(({ field, reason }) => `${field}: ${reason}`).join("; ");
  return problem.hostMessage ?? offences ?? null;
}

/** Anything that a step threw. Our own database being away is neither: it is thrown on, and another attempt reads again. */
export function toFailure(error: unknown, hostName: string): unknown {
  if (error instanceof StepFailed || error instanceof TryAgain || error instanceof Cancelled) return error;
  if (error instanceof LeaseLost) return error;
  if (error instanceof RecordRefusal) return new StepFailed(error.message);
  if (error instanceof AgentRefusal) return ofRefusal(error, hostName);
  // Before the database: a refused connection looks the same, but an agent's comes wrapped.
  if (isAgentFailure(error)) {
    const { message, hostMessage } = toObserveError(error, hostName);
    return new TryAgain(message, hostMessage, true);
  }
  if (isConnectionError(error)) return error;
  log.error({ err: error }, "a step of a job failed on our side");
  return new StepFailed("Something failed on our side. The log has it.");
}

function ofRefusal({ problem, status }: AgentRefusal, hostName: string): StepFailed | TryAgain {
  if (status === 401 || status === 403)
    return new StepFailed(`The agent on ${hostName} does not take this engine's token.`);
  if (!problem) return new TryAgain(`The agent on ${hostName} answered with status ${status}.`, null, false);
  const words = wordsOf(problem);
  if (problem.code === "not_found") return new UnknownToHost(problem.detail, words);
  if (problem.code === "not_implemented") return new NotOffered(problem.detail, words);
  if (!problem.retryable) return new StepFailed(problem.detail, words);
  return new TryAgain(problem.detail, words, problem.code === "unavailable" || problem.code === "timeout");
}
