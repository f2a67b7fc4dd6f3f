import type { Extents } from "#contract/common.ts";
import { problemOfRead } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { AgentRefusal, isAgentFailure, toObserveError } from "../agents/failure.ts";
import type { Context } from "../state.ts";
import { requireHost } from "./lookup.ts";

const LIMIT_MS = 60_000;

/** Dirty extents of one bitmap, read on the host now. */
export async function readExtents(
  context: Context,
  input: { vmId: string; target: string; name: string; buckets: number },
): Promise<Extents> {
  const { host } = await requireHost(context, input.vmId);
  if (!host)
    throw new ProblemError("unavailable", "The VM's host is not in the configuration.", { subject: input.vmId });
  try {
    return await host.agent.api.extents(input, { signal: AbortSignal.timeout(LIMIT_MS) });
  } catch (error) {
    if (error instanceof AgentRefusal && error.problem) throw error;
    if (!isAgentFailure(error)) throw error;
    throw problemOfRead(toObserveError(error, host.name), input.vmId);
  }
}
