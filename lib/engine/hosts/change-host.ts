/** Paired hosts get another name or address, or are retired. Those of the configuration are changed there. */
import type { Host } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";
import {
  countOpenJobs,
  findHostLike,
  inTransaction,
  lockPairedHost,
  retirePairedHost,
  uniqueViolation,
  updatePairedHost,
} from "#db/index.ts";
import { AgentRefusal, isAgentFailure } from "../agents/failure.ts";
import type { Context } from "../state.ts";
import { audit, isTaken, look, requirePaired, spread } from "./common.ts";
import { getHost } from "./hosts.ts";

export async function updateHost(
  context: Context,
  { hostId, ...input }: { hostId: string; name?: string; url?: string },
): Promise<Host> {
  const { engine } = context;
  const before = await requirePaired(engine, hostId);
  const url = input.url === undefined ? before.url : new URL(input.url).origin;
  const name = input.name ?? before.name;
  const changes = [
    ...(name === before.name ? [] : [`name ${before.name} → ${name}`]),
    ...(url === before.url ? [] : [`address ${before.url} → ${url}`]),
  ];
  if (changes.length === 0) {
    const detail = `${before.name} has this name and address already`;
    await audit(context, engine.db.orm, { action: "hosts.update", subject: hostId, detail, outcome: "unchanged" });
    return getHost(context, { hostId });
  }
  try {
    await inTransaction(engine.db, async (tx) => {
      if (!(await lockPairedHost(tx, hostId))) throw new ProblemError("conflict", `${before.name} is retired.`);
      const like = await findHostLike(tx, { name, url }, hostId);
      if (like) throw isTaken(like.name === name ? `The name ${name}` : `The address ${url}`);
      await updatePairedHost(tx, hostId, { name, url });
      await audit(context, tx, { action: "hosts.update", subject: hostId, detail: changes.join(", ") });
    });
  } catch (error) {
    // A host that is retired keeps its name.
    if (uniqueViolation(error) !== null) throw isTaken(`The name ${name}`);
    throw error;
  }
  await spread(engine);
  await look(engine, hostId);
  return getHost(context, { hostId });
}

/** Watches a host no longer. Its VMs, backups and audit stay. Refused while a job runs there. */
export async function retireHost(context: Context, { hostId }: { hostId: string }): Promise<Host> {
  const { engine } = context;
  const { name } = await requirePaired(engine, hostId);
  const known = engine.hosts.get(hostId);
  await inTransaction(engine.db, async (tx) => {
    if (!(await lockPairedHost(tx, hostId))) throw new ProblemError("conflict", `${name} is retired.`);
    const open = await countOpenJobs(tx, hostId);
    if (open > 0) {
      const detail = `${open === 1 ? "A job has" : `${open} jobs have`} not ended on ${name}. Cancel or await them first.`;
      throw new ProblemError("conflict", detail, { subject: hostId });
    }
    // The agent is told while the token still opens its door. One that does not answer keeps a hash of a token that
    // nobody has any more.
    const told = await tell(known?.agent.api.revokeToken({}, { signal: AbortSignal.timeout(5_000) }));
    await retirePairedHost(tx, hostId);
    const detail = told ? name : `${name}; its agent could not be told`;
    await audit(context, tx, { action: "hosts.retire", subject: hostId, detail });
  });
  await spread(engine);
  return getHost(context, { hostId });
}

/** Whether the agent takes the token no longer. One that does not know it has been told before, by a run that was cut off. */
async function tell(call: Promise<unknown> | undefined): Promise<boolean> {
  try {
    await call;
    return call !== undefined;
  } catch (error) {
    if (!isAgentFailure(error)) throw error;
    return error instanceof AgentRefusal && error.status === 401;
  }
}
