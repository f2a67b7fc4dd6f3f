/**
 * The workers of one process. Messages wake them; beside that they look every few seconds for jobs that nobody works on
 * and for what jobs left behind: whatever died, and whatever message was lost, the database alone says what is to be done.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { inTransaction, isConnectionError, listAbandonedJobs } from "#db/index.ts";
import { log } from "../log.ts";
import type { Engine } from "../state.ts";
import { cleaner } from "./leftovers.ts";
import { enqueueJob, type JobQueue } from "./queue.ts";
import { runJob } from "./run-job.ts";

/** Most of a job's time is waiting for a host. */
const PARALLEL = 16;
const LOOK_MS = 2_000;
const MOST_REVIVED = 200;

export type Workers = { stop: () => Promise<void> };

export async function startWorkers(engine: Engine, queue: JobQueue): Promise<Workers> {
  const stopping = new AbortController();
  const holder = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  const running = new Map<string, Promise<void>>();
  const take = async (jobId: string) => {
    while (running.size >= PARALLEL && !stopping.signal.aborted) await Promise.race(running.values());
    if (stopping.signal.aborted || running.has(jobId)) return;
    const work = runJob(engine, jobId, holder, stopping.signal)
      .catch((err: unknown) => {
        if (!isConnectionError(err)) log.error({ jobId, err }, "a job could not be run");
      })
      .finally(() => running.delete(jobId));
    running.set(jobId, work);
  };
  await queue.work(take);
  const looking = lookAround(engine, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await looking;
      await Promise.allSettled(running.values());
    },
  };
}

async function lookAround(engine: Engine, signal: AbortSignal): Promise<void> {
  const cleanUp = cleaner(engine, signal);
  while (!signal.aborted) {
    try {
      const abandoned = await listAbandonedJobs(engine.db.orm, MOST_REVIVED);
      if (abandoned.length > 0)
        await inTransaction(engine.db, async (tx) => {
          for (const job of abandoned) await enqueueJob(tx, job);
        });
      await cleanUp();
    } catch (err) {
      if (!isConnectionError(err) && !signal.aborted) log.error({ err }, "looking for abandoned jobs failed");
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}
