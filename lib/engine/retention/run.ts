/** Housekeeping: what is older than the configuration keeps is removed, VM by VM, a bounded number of rows at a time. */
import { setTimeout as delay } from "node:timers/promises";
import { type Forgotten, forgetOld, inTransaction, isConnectionError, type KeepSince, listVmIds } from "#db/index.ts";
import { log } from "../log.ts";
import type { Engine } from "../state.ts";

const VMS_AT_ONCE = 500;
const ROWS_AT_ONCE = 1_000;
/** Between two transactions: nobody waits for housekeeping. */
const BREATH_MS = 20;
const FIRST_MS = 10 * 60_000;
const EVERY_MS = 6 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

/** One round over all VMs; returns how many rows went. */
export async function forgetOldRows(engine: Engine, signal: AbortSignal, now = new Date()): Promise<Forgotten> {
  const keep = keepSince(engine, now);
  const sum: Forgotten = { observations: 0, samples: 0, identities: 0, findings: 0, jobs: 0 };
  if (Object.values(keep).every((since) => since === null)) return sum;
  for (let after: string | null = null; ; ) {
    const vmIds: string[] = await listVmIds(engine.db.orm, after, VMS_AT_ONCE);
    for (const vmId of vmIds) {
      for (let isMore = true; isMore; ) {
        if (signal.aborted) return sum;
        const gone = await inTransaction(engine.db, (tx) => forgetOld(tx, vmId, keep, ROWS_AT_ONCE));
        for (const [what, n] of Object.entries(gone ?? {})) sum[what as keyof Forgotten] += n;
        isMore = Object.values(gone ?? {}).some((n) => n >= ROWS_AT_ONCE);
        await delay(BREATH_MS, undefined, { signal }).catch(() => {});
      }
    }
    after = vmIds.at(-1) ?? null;
    if (after === null) return sum;
  }
}

function keepSince({ config }: Engine, now: Date): KeepSince {
  const { keepObservationsDays, keepSamplesDays, keepFindingsDays, keepJobsDays } = config.policy;
  const since = (days: number) => (days === 0 ? null : new Date(now.getTime() - days * DAY_MS));
  return {
    observations: since(keepObservationsDays),
    samples: since(keepSamplesDays),
    findings: since(keepFindingsDays),
    jobs: since(keepJobsDays),
  };
}

/** In one process of all (`lead`). Returns what ends it. */
export function startRetention(engine: Engine): () => void {
  const stopping = new AbortController();
  const { signal } = stopping;
  void (async () => {
    for (let wait = FIRST_MS; ; wait = EVERY_MS) {
      await delay(wait, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      try {
        const gone = await forgetOldRows(engine, signal);
        if (Object.values(gone).some((n) => n > 0)) log.info({ gone }, "old rows were removed");
      } catch (err) {
        if (!isConnectionError(err)) log.error({ err }, "old rows could not be removed");
      }
    }
  })();
  return () => stopping.abort();
}
