import type { Extents } from "#contract/common.ts";
import { problemOfRead } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { countAttempt, findHoldingJob } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { AgentRefusal, isAgentFailure, toObserveError } from "../agents/failure.ts";
import type { Context, EngineHost } from "../state.ts";
import { requireHost } from "./lookup.ts";

type Input = { vmId: string; target: string; name: string; buckets: number };

const LIMIT_MS = 60_000;
const WINDOW_MS = 60_000;
/** Of one actor in a window: a person who looks through a chain, not a program that polls. */
export const MOST_READS = 30;

/**
 * Dirty extents of one bitmap, read on the host now. Of a running VM they are read through a backup job that libvirt
 * begins for it, which no job of ours may find in its way: one read of a VM at a time, and none while a job works on it.
 */
export async function readExtents(context: Context, input: Input): Promise<Extents> {
  const { engine, actor } = context;
  const { host } = await requireHost(context, input.vmId);
  if (!host)
    throw new ProblemError("unavailable", "The VM's host is not in the configuration.", { subject: input.vmId });
  if ((await countAttempt(engine.db.orm, `extents:${actorName(actor)}`, WINDOW_MS)) > MOST_READS) {
    const words = `Dirty extents are read on the host each time: at most ${MOST_READS} times a minute. Wait a little.`;
    throw new ProblemError("rate_limited", words, { subject: input.vmId });
  }
  const question = JSON.stringify([input.target, input.name, input.buckets]);
  return engine.turns.take(input.vmId, question, () => ask(context, host, input));
}

async function ask({ engine }: Context, host: EngineHost, input: Input): Promise<Extents> {
  // When it is our turn: a job may have begun while we waited.
  const job = await findHoldingJob(engine.db.orm, input.vmId);
  if (job) {
    const words = `A job (${job.kind}) works on this VM. Its dirty extents can be read when the job has ended.`;
    throw new ProblemError("vm_busy", words, { subject: input.vmId });
  }
  const askedAt = Date.now();
  try {
    const extents = await host.agent.api.extents(input, { signal: AbortSignal.timeout(LIMIT_MS) });
    return { ...extents, observedAt: host.agent.clock.toOurs(extents.observedAt, askedAt) };
  } catch (error) {
    if (error instanceof AgentRefusal && error.problem) throw error;
    if (!isAgentFailure(error)) throw error;
    throw problemOfRead(toObserveError(error, host.name), input.vmId);
  }
}
