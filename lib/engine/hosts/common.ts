/** What the verbs share that pair, change and retire hosts. */

import { createHash, randomBytes } from "node:crypto";
import { ProblemError } from "#contract/problem.ts";
import { getHost as findHost, findPairedHost, notifyChange, type PairedHost, writeAudit } from "#db/index.ts";
import { actorName } from "../actor.ts";
import { isAgentFailure } from "../agents/failure.ts";
import { contactHost, noteHostFailure } from "../observe/read.ts";
import type { Context, Engine } from "../state.ts";
import { syncPairedHosts } from "./paired.ts";

/** How long an agent may take to answer while somebody waits. */
export const PAIR_MS = 10_000;
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
export const newToken = (): string => randomBytes(32).toString("base64url");

type Entry = { action: string; subject: string | null; detail: string; outcome?: "done" | "unchanged" | "failed" };
export const audit = ({ actor, traceId }: Context, tx: Parameters<typeof writeAudit>[0], entry: Entry) =>
  writeAudit(tx, { actor: actorName(actor), role: actor.role, outcome: "done", traceId, ...entry });

/** Tells every web process, this one at once. */
export async function spread(engine: Engine): Promise<void> {
  await notifyChange(engine.db.orm, { type: "hosts" });
  await syncPairedHosts(engine);
}

/** The host as a paired one. @throws ProblemError not_found; conflict when the configuration names it or it is retired */
export async function requirePaired(engine: Engine, hostId: string): Promise<PairedHost> {
  const host = await findHost(engine.db.orm, hostId);
  if (!host) throw new ProblemError("not_found", `There is no host ${hostId}.`, { subject: hostId });
  if (host.origin === "configuration") {
    const detail = `${host.name} is named by the configuration (DRIFTLINE_CONFIG): change it there and start again.`;
    throw new ProblemError("conflict", detail, { subject: hostId });
  }
  const paired = await findPairedHost(engine.db.orm, hostId);
  if (!paired) throw new ProblemError("conflict", `${host.name} is retired.`, { subject: hostId });
  return paired;
}

export const isTaken = (what: string) =>
  new ProblemError("conflict", `${what} belongs to a host that is watched already.`);

/** Asks the host once, so that the answer says what it is; one that does not answer is said to be so. */
export async function look(engine: Engine, hostId: string): Promise<void> {
  const host = engine.hosts.get(hostId);
  if (!host) return;
  try {
    await contactHost(engine, host);
  } catch (error) {
    if (!isAgentFailure(error)) throw error;
    await noteHostFailure(engine, host, error);
  }
}
