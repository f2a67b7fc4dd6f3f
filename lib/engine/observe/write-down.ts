/** An agent's answers, one VM at a time: what cannot be written down is that VM's failure, and not the end of the others. */
import type { ObserveError } from "#chain/model.ts";
import type { ObserveItem } from "#contract/agent.ts";
import { inTransaction, isConnectionError, knownDigests, listRestless, touchUnchanged } from "#db/index.ts";
import { log } from "../log.ts";
import type { Engine, EngineHost } from "../state.ts";
import { applyAbsent, applyCounts, applyFailure, applyObservation, applyUnstored } from "./apply.ts";
import { NOTHING, type Recomputed } from "./recompute.ts";

type Written = Recomputed & { failed: boolean };
/** A VM that is as it was, to the counts. */
export type Unchanged = { vmId: string; digest: string; at: string };
export type ToOurs = (at: string) => string;

/** The words of the database hold what it was given: they go to the log, not out. */
const UNSTORED: ObserveError = {
  code: "internal",
  message: "What the host said of this VM could not be stored. The server's log says why.",
  hostMessage: null,
  retryable: true,
};

/** Throws only when the database is lost, or cannot even take the failure: then nothing that follows can be stored. */
async function writeOne(
  engine: Engine,
  host: EngineHost,
  { vmId, at }: { vmId: string; at: string },
  write: () => Promise<Recomputed>,
): Promise<Written> {
  try {
    return { ...(await write()), failed: false };
  } catch (error) {
    if (isConnectionError(error)) throw error;
    log.error({ host: host.name, vmId, err: error }, "what a host said of a VM could not be stored");
    await applyUnstored(engine, host.id, vmId, at, UNSTORED);
    return { ...NOTHING, unsettled: true, failed: true };
  }
}

/** One answer. */
export async function writeItem(
  engine: Engine,
  host: EngineHost,
  item: Exclude<ObserveItem, { type: "done" }>,
  toOurs: ToOurs,
): Promise<Written> {
  switch (item.type) {
    case "observation": {
      const { vmId } = item.observation;
      const at = toOurs(item.observation.observedAt);
      return writeOne(engine, host, { vmId, at }, () =>
        applyObservation(engine, host.id, { ...item.observation, observedAt: at }),
      );
    }
    case "unchanged": {
      const at = toOurs(item.observedAt);
      return writeOne(engine, host, { vmId: item.vmId, at }, () => applyCounts(engine, host.id, { ...item, at }));
    }
    case "failed": {
      const at = toOurs(item.at);
      const { vmId, error } = item;
      const written = await writeOne(engine, host, { vmId, at }, () => applyFailure(engine, host.id, vmId, at, error));
      return { ...written, failed: true };
    }
    case "absent":
      return writeAbsent(engine, host, item.vmId, toOurs(item.at));
  }
}

export function writeAbsent(engine: Engine, host: EngineHost, vmId: string, at: string): Promise<Written> {
  return writeOne(engine, host, { vmId, at }, () => applyAbsent(engine, host.id, vmId, at));
}

/**
 * VMs that are as they were: one statement for all, and a closer look at those whose state depends on time. Returns those
 * on which libvirt runs a job, and how many could not be written.
 */
export async function writeQuiet(
  engine: Engine,
  host: EngineHost,
  batch: Unchanged[],
): Promise<{ atWork: string[]; failed: number }> {
  const { db } = engine;
  const result = { atWork: [] as string[], failed: 0 };
  if (batch.length === 0) return result;
  const ids = batch.map((item) => item.vmId);
  const restless = new Set(await listRestless(db.orm, host.id, ids));
  // The oldest of the batch stands for all of it: never claims a read to be newer than it is.
  const at = new Date(Math.min(...batch.map((item) => Date.parse(item.at))));
  const quiet = batch.filter(({ vmId }) => !restless.has(vmId));
  await inTransaction(db, (tx) => touchUnchanged(tx, host.id, quiet, at));
  if (restless.size === 0) return result;
  const known = await knownDigests(db.orm, host.id, [...restless]);
  for (const item of batch.filter(({ vmId }) => restless.has(vmId))) {
    const [digest = "", countsDigest = ""] = (known[item.vmId] ?? "").split(":");
    // It is known otherwise by now: what was unchanged then is the past.
    if (digest !== item.digest) continue;
    const { unsettled, failed } = await writeOne(engine, host, item, () =>
      applyCounts(engine, host.id, { ...item, countsDigest, counts: null }),
    );
    if (failed) result.failed += 1;
    else if (unsettled) result.atWork.push(item.vmId);
  }
  return result;
}
