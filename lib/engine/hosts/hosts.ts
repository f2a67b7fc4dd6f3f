import { z } from "zod";
import type { Host } from "#contract/engine.ts";
import { problemOfRead } from "#contract/offences.ts";
import { ProblemError } from "#contract/problem.ts";
import { getHost as findHost, listHosts as findHosts, type HostRow, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { isAgentFailure } from "../agents/failure.ts";
import { cursorText, decodeCursor, encodeCursor } from "../cursor.ts";
import { contactHost, noteHostFailure, readHost } from "../observe/read.ts";
import { scopeOf } from "../scope.ts";
import type { Context } from "../state.ts";

const toHost = ({ configured, createdAt: _made, ...host }: HostRow): Host => ({
  ...host,
  state: configured ? host.state : "offline",
});

const noSuchHost = (hostId: string) =>
  new ProblemError("not_found", `There is no host ${hostId}.`, { subject: hostId });

export async function listHosts(context: Context, { cursor, limit }: { cursor?: string; limit: number }) {
  const after = decodeCursor(cursor, "hosts", z.tuple([cursorText]))?.[0] ?? null;
  const { items, more, total } = await findHosts(context.engine.db.orm, { after, limit, scope: scopeOf(context) });
  const last = items.at(-1);
  return { items: items.map(toHost), nextCursor: more && last ? encodeCursor("hosts", [last.name]) : null, total };
}

export async function getHost({ engine }: Context, { hostId }: { hostId: string }): Promise<Host> {
  const host = await findHost(engine.db.orm, hostId);
  if (!host) throw noSuchHost(hostId);
  return toHost(host);
}

/** Reads every VM of a host now. A host that does not answer is noted as offline and is an error of this call. */
export async function observeHost(context: Context, { hostId }: { hostId: string }) {
  const { engine, actor, traceId } = context;
  await getHost(context, { hostId });
  const host = engine.hosts.get(hostId);
  if (!host) throw new ProblemError("unavailable", "The host is not watched any more.", { subject: hostId });
  const audit = (outcome: "done" | "failed", detail: string) =>
    writeAudit(engine.db.orm, {
      actor: actorName(actor),
      role: actor.role,
      action: "hosts.observe",
      subject: hostId,
      outcome,
      detail,
      traceId,
    });
  try {
    await contactHost(engine, host);
    const { observed, unchanged, failed } = await readHost(engine, host);
    await audit("done", `${observed} observed, ${unchanged} unchanged, ${failed} failed`);
    return { observed, unchanged, failed, host: await getHost(context, { hostId }) };
  } catch (error) {
    if (!isAgentFailure(error)) throw error;
    const reason = await noteHostFailure(engine, host, error);
    await audit("failed", reason.message);
    throw problemOfRead(reason, hostId);
  }
}
