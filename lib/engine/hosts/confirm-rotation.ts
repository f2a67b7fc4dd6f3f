import { markConfirmed } from "#db/index.ts";
import { isAgentFailure } from "../agents/failure.ts";
import { log } from "../log.ts";
import type { Engine, EngineHost } from "../state.ts";

/** Lets the agent forget the token before this one. What fails here is done at the next contact. */
export async function confirmRotation(engine: Engine, host: EngineHost): Promise<void> {
  if (!host.paired?.confirmPending) return;
  const { sealedToken } = host.paired;
  try {
    await host.agent.api.confirmToken({}, { signal: AbortSignal.timeout(5_000) });
    // Another one may have been kept meanwhile: that one is still to be confirmed.
    const isLast = await markConfirmed(engine.db.orm, host.id, sealedToken);
    if (isLast && host.paired.sealedToken === sealedToken) host.paired.confirmPending = false;
  } catch (error) {
    if (!isAgentFailure(error)) throw error;
    log.warn({ host: host.name, err: error }, "the agent still takes the token before the new one");
  }
}
