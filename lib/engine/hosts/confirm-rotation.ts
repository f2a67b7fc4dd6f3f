import { updateCredential } from "#db/index.ts";
import { isAgentFailure } from "../agents/failure.ts";
import { log } from "../log.ts";
import type { Engine, EngineHost } from "../state.ts";

/** Lets the agent forget the token before this one. What fails here is done at the next contact. */
export async function confirmRotation(engine: Engine, host: EngineHost): Promise<void> {
  if (!host.paired?.confirmPending) return;
  try {
    await host.agent.api.confirmToken({}, { signal: AbortSignal.timeout(5_000) });
    await updateCredential(engine.db.orm, host.id, { confirmPending: false });
    host.paired.confirmPending = false;
  } catch (error) {
    if (!isAgentFailure(error)) throw error;
    log.warn({ host: host.name, err: error }, "the agent still takes the token before the new one");
  }
}
