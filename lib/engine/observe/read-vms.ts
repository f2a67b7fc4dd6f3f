/** Reads of single VMs, for which a failure is an answer too. */
import { knownVms } from "#db/index.ts";
import { isAgentFailure, toObserveError } from "../agents/failure.ts";
import type { Engine, EngineHost } from "../state.ts";
import { applyFailure } from "./apply.ts";
import { type ReadResult, readHost } from "./read.ts";

/**
 * Reads these VMs whole. When the agent fails, that is written down for each known one that it did not answer for: they are
 * not as they were read before, they are not known. Throws then all the same, and when the failure is ours, of which a
 * VM's state says nothing.
 */
export async function readVms(
  engine: Engine,
  host: EngineHost,
  vmIds: string[],
  options: { signal?: AbortSignal; onRepairable?: (vmId: string) => void } = {},
): Promise<ReadResult> {
  const open = new Set(vmIds);
  try {
    return await readHost(engine, host, { ...options, vmIds, force: true, onAnswer: (vmId) => void open.delete(vmId) });
  } catch (error) {
    // Who stopped the read knows nothing of the VM.
    if (isAgentFailure(error) && !options.signal?.aborted) {
      const reason = toObserveError(error, host.name);
      const at = new Date().toISOString();
      for (const vmId of await knownVms(engine.db.orm, [...open]))
        await applyFailure(engine, host.id, vmId, at, reason);
    }
    throw error;
  }
}
