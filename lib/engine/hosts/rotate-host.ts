import type { Host } from "#contract/engine.ts";
import { ProblemError } from "#contract/problem.ts";
import { findPairedHost, inTransaction, lockPairedHost, type PairedHost, updateCredential } from "#db/index.ts";
import { createAgentClient } from "../agents/client.ts";
import { isAgentFailure, toObserveError } from "../agents/failure.ts";
import type { Context, Engine } from "../state.ts";
import { audit, newToken, PAIR_MS, requirePaired, sha256, spread } from "./common.ts";
import { confirmRotation } from "./confirm-rotation.ts";
import { getHost } from "./hosts.ts";
import { boundTo, openToken } from "./paired.ts";

/**
 * A new token without a gap: the agent takes both, the new one is tried, then kept, and only then does the agent forget
 * the old one. Stopped anywhere between, the host is reached by the token that is kept.
 */
export async function rotateHost(context: Context, { hostId }: { hostId: string }): Promise<Host> {
  const { engine } = context;
  await requirePaired(engine, hostId);
  const token = newToken();
  await inTransaction(engine.db, async (tx) => {
    // Held to the end: of two who rotate at once, the second begins with what the first has left.
    if (!(await lockPairedHost(tx, hostId))) throw new ProblemError("conflict", "The host is retired.");
    const row = await findPairedHost(tx, hostId);
    if (!row || !engine.sealer) throw new ProblemError("conflict", "The host is retired.");
    await introduceToken(engine, row, token);
    const sealedToken = engine.sealer.seal(token, boundTo(hostId, row.certificate));
    await updateCredential(tx, hostId, { sealedToken, confirmPending: true, rotatedAt: new Date() });
    await audit(context, tx, { action: "hosts.rotate", subject: hostId, detail: row.name });
  });
  await spread(engine);
  const host = engine.hosts.get(hostId);
  if (host) await confirmRotation(engine, host);
  return getHost(context, { hostId });
}

async function introduceToken(engine: Engine, row: PairedHost, token: string): Promise<void> {
  const { url, certificate: pin } = row;
  const signal = AbortSignal.timeout(PAIR_MS);
  const before = createAgentClient({ url, pin, token: openToken(engine, row) });
  const after = createAgentClient({ url, pin, token });
  try {
    await before.api.rotateToken({ tokenSha256: sha256(token) }, { signal });
    await after.api.host({}, { signal });
  } catch (error) {
    if (!isAgentFailure(error)) throw error;
    const { message, hostMessage } = toObserveError(error, row.name);
    throw new ProblemError("unavailable", `${message} Its token is as it was.`, { subject: row.id, hostMessage });
  } finally {
    await Promise.all([before.close(), after.close()]);
  }
}
